import { addressPart, asOneJump } from "../address.js";
import { change, view, watch } from "../bench/state.js";
import { showStepNamed } from "../bench/stepper.js";
import { DATA } from "../data.js";
import { byId } from "../dom.js";
import { shown } from "../numbers/format.js";
import { TOURS } from "./stops.js";

/** Which tour, and which of its stops from 1; no tour is "". */
let tour = { name: "", stop: 1 };

/** Let two tours lead through the page, a stop at a time: a bar says what is to be seen, and the page goes there. */
export function showTours() {
  addressPart("tour", { write: () => tour.name, read: readTour });
  addressPart("stop", { write: () => (tour.name ? `${tour.stop}` : ""), read: readStop });
  for (const button of document.querySelectorAll("[data-tour]")) button.addEventListener("click", () => goToStop(button.dataset.tour, 1));
  byId("tour-next").addEventListener("click", onward);
  byId("tour-back").addEventListener("click", () => tour.stop > 1 && goToStop(tour.name, tour.stop - 1));
  byId("tour-leave").addEventListener("click", leaveTour);
  byId("tour").addEventListener("keydown", (event) => {
    const go = { PageDown: "tour-next", PageUp: "tour-back", Escape: "tour-leave" }[event.key];
    if (!go) return;
    event.preventDefault();
    event.stopPropagation(); // outside of the bar these keys are the walk's
    byId(go).click();
  });
  new ResizeObserver(noteHeight).observe(byId("tour"));
  watch(showStop);
}

/** Say how much of the window the bar takes; not where it is hidden: every element's style would be worked out anew. */
function noteHeight() {
  if (byId("tour").hidden) return;
  document.documentElement.style.setProperty("--tour", `${byId("tour").offsetHeight}px`);
}

function stopNow() {
  return TOURS[tour.name]?.stops[tour.stop - 1];
}

/** A question is open until the walk is at the step that answers it, or beyond. */
function isOpen(stop) {
  const { walk, at } = view();
  return Boolean(stop.shows) && at < walk.findIndex(({ name }) => name === stop.shows);
}

/** Show what the answer is, or go to the next stop, or leave behind the last one. */
function onward() {
  const stop = stopNow();
  if (isOpen(stop)) return change({ step: stop.shows });
  if (tour.stop === TOURS[tour.name].stops.length) return leaveTour();
  goToStop(tour.name, tour.stop + 1);
}

/** The tours speak of X2. */
function goToStop(name, stop) {
  asOneJump(() => {
    tour = { name, stop };
    const { lectures, fault } = view();
    if (!lectures || fault) change({ start: DATA.x2.network });
    const { step, tab } = stopNow();
    if (step) showStepNamed(step);
    if (tab) byId(`tab-${tab}`).click();
    showStop();
  });
  scrollToStop();
  byId("tour-next").focus({ preventScroll: true });
}

function leaveTour() {
  const place = placeOf(stopNow());
  asOneJump(() => {
    tour = { name: "", stop: 1 };
    showStop();
  });
  place.tabIndex = -1;
  place.focus({ preventScroll: true });
}

function showStop() {
  const stop = stopNow();
  byId("tour").hidden = !stop;
  document.documentElement.classList.toggle("touring", Boolean(stop));
  if (!stop) return;
  const { name, stops } = TOURS[tour.name];
  const open = isOpen(stop);
  const text = (open ? stop.ask : stop.text).replace(/\{(.+?)\}/g, (_, quantity) => shown(DATA.x2.byHand[quantity]));
  byId("tour-name").textContent = name;
  if (byId("tour-text").textContent !== text) byId("tour-text").textContent = text;
  byId("tour-count").textContent = `${tour.stop} of ${stops.length}`;
  byId("tour-next").textContent = open ? "Show" : tour.stop === stops.length ? "Finish" : "Next";
  byId("tour-back").setAttribute("aria-disabled", String(tour.stop === 1));
}

/** A chapter, an equation of it, or the network. */
function placeOf({ at = "#bench" }) {
  const [section, equation] = at.split(" ");
  const place = document.querySelector(section);
  return [...place.querySelectorAll(".equation")].find((one) => equation && one.querySelector(".eq").textContent === equation) ?? place;
}

function scrollToStop() {
  placeOf(stopNow()).scrollIntoView();
}

// ------------------------------------------------------------------------------------------------------- its address

function readTour(name) {
  if (name && !Object.hasOwn(TOURS, name)) return `tour: expected ${Object.keys(TOURS).join(" or ")}`;
  tour = { name, stop: 1 };
  showStop();
  return "";
}

/** A link may name the stop alone; where it names a step too, the reader was there. */
function readStop(text) {
  const count = TOURS[tour.name]?.stops.length ?? 0;
  if (text && !count) return "stop: expected a tour beside it, such as tour=backward&stop=3";
  if (text && !(/^\d{1,2}$/.test(text) && Number(text) >= 1 && Number(text) <= count)) return `stop: expected a number from 1 to ${count} of a tour`;
  tour = { ...tour, stop: Number(text || 1) };
  if (!stopNow()) return "";
  const { step, tab } = stopNow();
  if (view().at === 0 && step) change({ step });
  if (tab) byId(`tab-${tab}`).click();
  showStop();
  scrollToStop();
  return "";
}
