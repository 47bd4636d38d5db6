const ZERO_WIDTH_SPACE = "\u200b";
const BREAK_BEFORE = new Set(["=", "≈", "←", "+", "·", "⋅"]);

/**
 * Return one formula as several inline ones, so that a narrow column can break it before an operator or a space.
 * A browser never breaks a line inside of a math element.
 */
export function breakable(mathml) {
  const home = document.createElement("div");
  home.innerHTML = mathml; // made by the page itself, of templates and numbers
  const pieces = [[]];
  for (const part of flattened(home.querySelector("math"))) {
    const breaks = part.localName === "mspace" || (part.localName === "mo" && BREAK_BEFORE.has(part.textContent));
    if (breaks && pieces.at(-1).length > 0) pieces.push([]);
    if (part.localName === "mo") part.setAttribute("form", formOf(part, pieces.at(-1)));
    pieces.at(-1).push(part);
  }
  return pieces.flatMap((parts) => [inlineMath(parts), ZERO_WIDTH_SPACE]);
}

/** The parts of a row, with those of the rows inside of it in their places; a factor stays together. */
function flattened(row) {
  return [...row.children].flatMap((part) => (part.localName === "mrow" && !part.classList.contains("factor") ? flattened(part) : [part]));
}

/** At the head of a piece an operator stands between two things all the same; a minus after another sign does not. */
function formOf(operator, before) {
  if (operator.textContent === "(") return "prefix";
  if (operator.textContent === ")") return "postfix";
  const isSign = operator.textContent === "−" || operator.textContent === "-";
  return isSign && (before.length === 0 || (before.at(-1).localName === "mo" && before.at(-1).textContent !== ")")) ? "prefix" : "infix";
}

function inlineMath(parts) {
  const math = document.createElementNS("http://www.w3.org/1998/Math/MathML", "math");
  math.setAttribute("displaystyle", "true");
  math.append(...parts);
  return math;
}
