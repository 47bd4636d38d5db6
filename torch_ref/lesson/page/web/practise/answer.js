import { pass } from "../numbers/arithmetic.js";
import { walk } from "../numbers/walk.js";
import { shown } from "../numbers/format.js";
import { pretty } from "../formulas/notation.js";
import { element } from "../dom.js";
import { askedInWords, askedOf, mark } from "./marking.js";

/**
 * A field for one number, which Enter marks. After a wrong number there is a hint, then the mistake, then the number.
 * @param {{network: object, name: string, slides: object, typed: string, finished: function(string), onward: ?function()}} question
 *   `typed` is what it begins with; `finished` hears of the end: what was typed, or "" where the number was shown;
 *   `onward` is what Enter does from then on
 * @returns {HTMLFormElement}
 */
export function answer({ network, name, slides = {}, typed = "", finished, onward }) {
  const field = element("input", { type: "text", size: 11, autocomplete: "off", spellcheck: "false", "aria-label": `${pretty(name)} =` });
  const says = element("output", { class: "verdict", "aria-live": "polite" });
  const help = element("button", { type: "button", class: "help", hidden: true });
  const button = element("button", {}, "Check");
  const form = element("form", { class: "answer", autocomplete: "off", novalidate: true },
    element("span", { class: "asked", "aria-hidden": "true" }, `${pretty(name)} =`), field, button, says, help);
  const exact = shown(pass(network).get(name));
  const say = (verdict, words, offered = "") => {
    form.dataset.verdict = verdict;
    says.textContent = words;
    help.textContent = offered;
    help.hidden = !offered;
  };
  const end = (verdict, words, text) => {
    say(verdict, words);
    field.readOnly = true;
    button.textContent = "Next";
    button.hidden = !onward;
    finished(text);
  };
  let marked = null;
  const check = () => {
    marked = mark(network, name, field.value, { slides });
    if (marked.verdict === "right") return end("right", `✓ Right${marked.as === "slide" ? " as on the slide. Exactly it is" : ":"} ${exact}.`, field.value);
    say(marked.verdict, refusal(marked, walk(network).find((one) => one.name === name).kind), offer(marked));
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (field.readOnly) onward?.();
    else check();
  });
  help.addEventListener("click", () => {
    if (help.textContent === "Show it") end("shown", `It is ${exact}.`, "");
    else say("wrong", `${marked.title}.`, "Show it");
  });
  field.value = typed;
  if (typed) check();
  return form;
}

/** What the button beside a refusal offers; a mistake without a name has nothing to tell. */
function offer({ verdict, name }) {
  if (verdict !== "wrong") return "";
  return name === "unknown" ? "Show it" : "What is wrong?";
}

function refusal({ verdict, title, hint }, kind) {
  if (verdict === "short") return `Right so far. Type at least ${askedInWords(askedOf(kind))}.`;
  return verdict === "unreadable" ? `${title}.` : `Not yet. ${hint}`;
}
