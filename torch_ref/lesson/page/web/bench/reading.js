const LARGEST = { lr: 1000, other: 100 };

/** Return the number that stands in a field, or say what is wrong with it. */
export function readNumber(field) {
  return readText(field.value, field.getAttribute("aria-label"), field.dataset.at === "lr");
}

/** Return the number that a text says, or what is wrong with it; a learning rate is not below 0. */
export function readText(text, name, isRate) {
  const written = text.trim().replaceAll("−", "-").replace(",", ".");
  const value = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(written) ? Number(written) : NaN;
  const [least, most] = isRate ? [0, LARGEST.lr] : [-LARGEST.other, LARGEST.other];
  if (Number.isNaN(value)) return { value: 0, problem: `${name}: expected a number such as 0.35, got “${text}”.` };
  if (value < least || value > most) return { value, problem: `${name}: expected a number from ${least} to ${most}, got ${text}.` };
  return { value, problem: "" };
}

/** Say what is wrong with a network as a whole: the targets of a softmax are shares of 1. */
export function problemOf({ loss, t }) {
  if (loss !== "cross-entropy") return "";
  const sum = t.reduce((total, target) => total + target, 0);
  if (t.some((target) => target < 0)) return "Cross-entropy expects targets from 0 to 1 (E8).";
  return Math.abs(sum - 1) > 1e-4 ? `Cross-entropy expects targets that sum to 1 (E17), these sum to ${Number(sum.toPrecision(4))}.` : "";
}
