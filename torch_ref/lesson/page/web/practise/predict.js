import { change, view, watch } from "../bench/state.js";
import { byId } from "../dom.js";
import { answer } from "./answer.js";

/** "Predict": each number of the walk stays hidden until the reader has typed it. */
export function showPredict() {
  const home = byId("prediction");
  byId("predict").addEventListener("change", (event) => {
    change({ predicted: event.target.checked ? new Set() : null });
    home.querySelector("input")?.focus();
  });
  let before = "";
  watch((now) => {
    byId("predict").checked = now.predicted !== null;
    byId("predict").disabled = now.fault !== null;
    const { name } = now.walk[now.at];
    const current = name + JSON.stringify(now.network) + Boolean(now.fault);
    const hidden = now.hidden.has(name);
    const held = home.contains(document.activeElement);
    const stays = now.predicted && before === current; // what was found stays in sight until the next step
    if (!stays) home.replaceChildren(...(hidden ? [question(now)] : []));
    if (held) home.querySelector(hidden ? "input" : "button:not([hidden])")?.focus(); // on the button, arrows are the walk's
    before = now.predicted ? current : "";
  });
}

function question({ network, slides, walk, at }) {
  const { name } = walk[at];
  const next = walk[at + 1];
  return answer({
    network, name, slides,
    finished: () => change({ predicted: new Set([...view().predicted, name]) }),
    onward: next && (() => change({ step: next.name })),
  });
}
