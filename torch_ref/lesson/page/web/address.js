// The state of the page in its address: lesson.html#step=δ^1_1&updates=3. What stands there comes from anywhere, and is
// read as untrusted text. A fragment that is an element's id means that element, as everywhere.

import { change, isLectures, MOST_UPDATES, opening, view, watch } from "./bench/state.js";
import { DATA } from "./data.js";
import { byId } from "./dom.js";
import { walk } from "./numbers/walk.js";
import { networkFrom, networkInText, quotation } from "./bench/written.js";

/** A network of 4-4-4-4 with every number in full takes 1600. */
const LONGEST = 4000;
/** Milliseconds. Browsers refuse more than 100 addresses in half a minute, and a key that is held down makes more. */
const PAUSE = 700;

const addressParts = new Map([
  ["net", { write: ({ start }) => writtenNetwork(start), read: readNetwork, jumps: true }],
  ["updates", { write: ({ updates }) => (updates ? `${updates}` : ""), read: readUpdates }],
  ["step", { write: ({ walk: steps, at }) => (at ? steps[at].name : ""), read: readStep }],
  ["tab", { write: writtenTab, read: readTab, jumps: true }],
]);
let resting = null;
let typedInto = null;
let noting = true;

/**
 * Keep something of a module's own in the address, under a key of its own. Call it before `showAddress`.
 * @param {string} key
 * @param {{write: function(object): string, read: function(string): string, jumps: ?boolean}} part
 *   `write(view)` returns its text, "" where there is nothing to keep; `read(text)` puts back what the text says, "" being
 *   how the page begins, and returns "" or what is wrong with it. Network, updates and step stand by then.
 *   `jumps`: the browser's Back undoes a change of it
 */
export function addressPart(key, part) {
  addressParts.set(key, part);
}

/** Read the address, now and whenever it changes, and keep it up to date. */
export function showAddress() {
  readAddress();
  addEventListener("popstate", readAddress);
  addEventListener("hashchange", readAddress);
  watch((_, patch) => Object.keys(patch).length > 0 && noteAddress());
  document.addEventListener("tab", () => noteAddress());
}

/** Write the address anew, if something in it changed. Of what `view` has not, its module has to say so. */
export function noteAddress() {
  if (!noting) return;
  const before = partsOf(window.history.state?.address ?? "");
  const jumped = [...addressParts].some(([key, { write, jumps }]) => jumps && write(view()) !== (before.get(key) ?? ""));
  if (jumped && !goesOnTyping()) return pushAddress();
  if (resting) return; // it is written when the pause is over
  settleAddress();
  resting = setTimeout(() => {
    resting = null;
    settleAddress();
  }, PAUSE);
}

/** Do something that the browser's Back is to undo as a whole. */
export function asOneJump(action) {
  settleAddress();
  unnoted(action);
  pushAddress();
}

function unnoted(action) {
  noting = false;
  try {
    return action();
  } finally {
    noting = true;
  }
}

/** Return the address of what the page shows now, for a link. */
export function linkHere() {
  return new URL(fragmentOf(writtenAddress()), location.href).href.replaceAll("^", "%5E");
}

/** Digits that are typed into one field are one change. */
function goesOnTyping() {
  const field = document.activeElement?.closest("#fields input[data-at]") ?? null;
  const same = field !== null && field.dataset.at === typedInto;
  typedInto = field?.dataset.at ?? null;
  return same;
}

function pushAddress() {
  const address = writtenAddress();
  window.history.pushState({ address }, "", fragmentOf(address));
  byId("address-problem").textContent = "";
}

/** Put what has changed since into the present entry of the browser's history. */
export function settleAddress() {
  const address = writtenAddress();
  if (address === window.history.state?.address) return;
  window.history.replaceState({ address }, "", fragmentOf(address));
  byId("address-problem").textContent = "";
}

function writtenAddress() {
  const now = view();
  const filled = [...addressParts].map(([key, { write }]) => [key, write(now)]).filter(([, text]) => text);
  return filled.map(([key, text]) => `${key}=${text.replace(/[%&#\s]/g, encodeURIComponent)}`).join("&");
}

function fragmentOf(address) {
  return address ? `#${address}` : location.href.split("#")[0];
}

// --------------------------------------------------------------------------------------------------------- reading

/** Show what the present entry of the browser's history says; a link to a section leaves the network as it is. */
function readAddress() {
  const kept = window.history.state?.address;
  const linked = kept === undefined && location.hash !== "" && !isPlace();
  if (linked) byId("bench").scrollIntoView();
  const problem = kept === undefined && isPlace() ? "" : unnoted(() => restoredFrom(kept ?? location.hash.slice(1)));
  if (problem) unnoted(showLectures);
  byId("address-problem").textContent = problem && `This address cannot be read, so here is X2: ${problem}.`;
  if (!problem) window.history.replaceState({ address: writtenAddress() }, "");
}

function showLectures() {
  for (const { read } of addressParts.values()) read("");
  change({ start: DATA.x2.network });
}

function isPlace() {
  try {
    return document.getElementById(decodeURIComponent(location.hash.slice(1))) !== null;
  } catch {
    return false;
  }
}

/** Put every part of an address back that is not as it says; return what is wrong with it, or "". */
function restoredFrom(address) {
  if (address.length > LONGEST) return `it is longer than ${LONGEST} letters`;
  let found;
  try {
    found = partsOf(address);
  } catch {
    return "it is not encoded as addresses are";
  }
  const unknown = [...found.keys()].find((key) => !addressParts.has(key));
  if (unknown !== undefined) return `expected ${[...addressParts.keys()].join(", ")}, got ${quotation(unknown)}`;
  for (const [key, { write, read }] of addressParts) {
    const text = found.get(key) ?? "";
    const problem = text === write(view()) ? "" : read(text);
    if (problem) return problem;
  }
  return "";
}

function partsOf(address) {
  const pieces = address.split("&").filter(Boolean).map((piece) => piece.split(/=(.*)/s));
  return new Map(pieces.map(([key, text = ""]) => [decodeURIComponent(key), decodeURIComponent(text)]));
}

// ------------------------------------------------------------------------------------------------------- its parts

function writtenNetwork(network) {
  if (JSON.stringify(network) === JSON.stringify(opening)) return "";
  if (isLectures(network)) return "X2";
  return networkInText(network);
}

function readNetwork(text) {
  const { network, problem } = text === "" ? { network: opening } : text === "X2" ? { network: DATA.x2.network } : networkFrom(text);
  if (network) change({ start: network });
  return problem ?? "";
}

function readUpdates(text) {
  if (!/^\d{0,4}$/.test(text) || Number(text) > MOST_UPDATES) return `updates: expected a number from 0 to ${MOST_UPDATES}, got ${quotation(text)}`;
  change({ updates: Number(text) });
  return "";
}

function readStep(text) {
  const names = walk(view().network).map(({ name }) => name);
  if (text && !names.includes(text)) return `step: expected one of this network, such as ${names.at(-1)}, got ${quotation(text)}`;
  change({ step: text || names[0] });
  return "";
}

function writtenTab() {
  const [first, ...others] = document.querySelectorAll("[role=tab]");
  return others.find((tab) => tab !== first && tab.getAttribute("aria-selected") === "true")?.getAttribute("aria-controls") ?? "";
}

function readTab(text) {
  const tabs = [...document.querySelectorAll("[role=tab]")];
  const names = tabs.map((tab) => tab.getAttribute("aria-controls"));
  if (text && !names.includes(text)) return `tab: expected ${names.join(", ")}, got ${quotation(text)}`;
  tabs[Math.max(0, names.indexOf(text))].click();
  return "";
}
