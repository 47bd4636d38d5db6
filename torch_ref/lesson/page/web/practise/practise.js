import { byId, element } from "../dom.js";
import { answer } from "./answer.js";
import { exercise, KINDS, MOST_SEED } from "./exercises.js";
import { posed } from "./posed.js";

const STORED = "lesson-practise";
const FRESH = { seed: 1, at: 1, right: {} };

/** Ten exercises: what was right, number by number, is kept in this browser. */
export function showPractise() {
  let progress = stored();
  const [seed, list, home] = ["practise-seed", "practise-list", "exercise"].map(byId);
  const keep = (patch) => {
    progress = { ...progress, ...patch };
    store(progress);
    list.replaceChildren(...KINDS.map(([title], at) => tile(progress, at + 1, title)));
    byId("practise-state").textContent = `${KINDS.filter((_, at) => isDone(progress, at + 1)).length} of ${KINDS.length} done`;
  };
  const open = (patch) => {
    keep(patch);
    seed.value = progress.seed;
    home.replaceChildren(...opened(progress, keep, (at) => open({ at })));
  };
  list.addEventListener("click", (event) => {
    const { at } = event.target.closest("button")?.dataset ?? {};
    if (!at) return;
    open({ at: Number(at) });
    list.children[at - 1].focus();
  });
  seed.addEventListener("change", () => {
    const wanted = Number(seed.value);
    const fits = /^\d+$/.test(seed.value.trim()) && wanted <= MOST_SEED;
    byId("practise-problem").textContent = fits ? "" : `Seed: expected a whole number from 0 to ${MOST_SEED}, got “${seed.value}”.`;
    if (fits) open({ ...FRESH, seed: wanted });
  });
  byId("practise-other").addEventListener("click", () => open({ ...FRESH, seed: Math.floor(Math.random() * 1e6) }));
  byId("practise-clear").addEventListener("click", () => open({ ...FRESH, seed: progress.seed }));
  open({});
}

function opened({ seed, at, right }, keep, open) {
  const posedOne = exercise(seed, at);
  const found = { ...right[at] };
  const forms = posedOne.asked.map((name, place) => answer({
    network: posedOne.network, name, typed: found[name],
    finished: (typed) => {
      if (typed) found[name] = typed;
      right = { ...right, [at]: found };
      keep({ right });
    },
    onward: () => (forms[place + 1]?.querySelector("input") ?? byId("practise-list").children[at])?.focus(),
  }));
  const next = element("button", { type: "button", hidden: at === KINDS.length }, "Next exercise");
  next.addEventListener("click", () => {
    open(at + 1);
    byId("exercise").querySelector("input").focus();
  });
  return [...posed(posedOne), element("div", { class: "answers" }, forms), next];
}

function tile(progress, number, title) {
  const done = isDone(progress, number);
  return element("button", {
    type: "button", "data-at": number, "aria-current": progress.at === number && "true", "aria-label": `Exercise ${number}: ${title}${done ? ", done" : ""}`,
  }, `${number}${done ? " ✓" : ""}`);
}

function isDone({ seed, right }, number) {
  return exercise(seed, number).asked.every((name) => right[number]?.[name]);
}

/** A browser may refuse its storage, and somebody else may have written to it. */
function stored() {
  try {
    const { seed, at, right } = JSON.parse(localStorage.getItem(STORED));
    const makesSense = Number.isInteger(seed) && seed >= 0 && seed <= MOST_SEED && KINDS[at - 1] && typeof right === "object" && right;
    return makesSense ? { seed, at, right } : FRESH;
  } catch {
    return FRESH;
  }
}

function store(progress) {
  try {
    localStorage.setItem(STORED, JSON.stringify(progress));
  } catch {
    // then it lasts as long as the page
  }
}
