import { asOneJump, showAddress } from "./address.js";
import { pass, repeated, updated } from "./numbers/arithmetic.js";
import { bugOfNow, plantBug, showBug } from "./bench/bug.js";
import { showChapters } from "./chapters/chapters.js";
import { apart } from "./numbers/compare.js";
import { showContents } from "./contents.js";
import { DATA } from "./data.js";
import { showDigit } from "./digit/digit.js";
import { byId } from "./dom.js";
import { showLink } from "./bench/link.js";
import { showDrawing } from "./bench/drawing.js";
import { showHighlight } from "./bench/highlight.js";
import { showPresent } from "./bench/present.js";
import { showSwitch } from "./bench/switch.js";
import { showHeard } from "./bench/heard.js";
import { FAULTS, plant, spoiled } from "./numbers/faults.js";
import { huntFor } from "./numbers/hunt.js";
import { short, shown, ulps } from "./numbers/format.js";
import { showChipFormulas } from "./formulas/equations.js";
import { formula } from "./formulas/math.js";
import { showRepeat } from "./bench/repeat.js";
import { showSettings } from "./bench/settings.js";
import { change, isLectures, isX1, opening, view, watch } from "./bench/state.js";
import { steps } from "./formulas/steps.js";
import { csv, showTable } from "./bench/table.js";
import { showTabs } from "./bench/tabs.js";
import { passByTape } from "./numbers/tape.js";
import { mark } from "./practise/marking.js";
import { exercise } from "./practise/exercises.js";
import { showPractise } from "./practise/practise.js";
import { showPredict } from "./practise/predict.js";
import { showTheme } from "./theme.js";
import { showTours } from "./tours/tours.js";
import { showStepNamed, showStepper } from "./bench/stepper.js";

showTheme();
showChipFormulas();
showTabs();
showDrawing();
showHighlight();
showSwitch();
showStepper();
showPresent();
showPredict();
showHeard();
showTable();
showRepeat();
showBug();
showSettings();
showLink();
showChapters(document);
showDigit(byId("digit"), DATA.digit);
showPractise();

watch(({ start, network, updates, isOpen }) => {
  const what = titleOf(start);
  const shape = `${network.sizes.join("-")}, ${network.activation === "relu" ? "ReLU" : network.activation}, ${network.loss.replace("-", " ")}, η = ${network.lr}`;
  byId("bench-state").textContent = `${what}: ${shape}${updates ? `, after ${updates} update${updates === 1 ? "" : "s"}` : ""}${isOpen ? ". A bug is planted." : ""}`;
  byId("bench").classList.toggle("with-bug", isOpen);
});

function titleOf(start) {
  if (isLectures(start)) return "The lecture’s example X2";
  if (isX1(start)) return "The lecture’s example X1 (the target is ours)";
  return start === opening ? DATA.opening.title : "Your own numbers";
}

showContents();
showTours();
showAddress();
byId("torch-version").textContent = DATA.versions.torch;

document.addEventListener("click", (event) => {
  const button = event.target.closest(".show-step");
  if (!button) return;
  asOneJump(() => {
    if (!view().lectures) change({ start: DATA.x2.network }); // the chapters speak of X2
    showStepNamed(button.dataset.step);
  });
  byId("bench").scrollIntoView();
});

/** For the console: the page's own arithmetic, and what it shows. */
const ownArithmetic = { pass, updated, repeated, passByTape, FAULTS, plant, spoiled, huntFor };
globalThis.lesson = { ...ownArithmetic, steps, formula, shown, short, ulps, apart, csv, change, view, plantBug, bugOfNow, mark, exercise, DATA };
