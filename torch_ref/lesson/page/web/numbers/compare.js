import { ulps } from "./format.js";

/** Of the largest number of a tensor: two orders of the same sum differ by far less, a wrong formula by far more. */
const TOLERANCE = 1e-9;

/** Of the largest number of all: x (1 − x) of a saturated unit is 0 where x is rounded to 1, and 1e−40 on the tape. */
const ROUNDING = 1e-14;

/** What is further apart differs because digits cancelled; how many units that is says nothing. */
const MOST_ULPS = 100;

/** Return the names of the numbers in which two passes differ by more than rounding. */
export function differing(byHand, reference) {
  const scale = new Map();
  for (const [name, value] of reference) {
    const tensor = tensorOf(name);
    scale.set(tensor, Math.max(scale.get(tensor) ?? 0, Math.abs(value)));
  }
  const least = ROUNDING * Math.max(...scale.values());
  const wrong = new Set();
  for (const [name, value] of reference) {
    const other = byHand.get(name);
    const same = Object.is(other, value) || Math.abs(other - value) <= TOLERANCE * scale.get(tensorOf(name)) + least;
    if (!same) wrong.add(name);
  }
  return wrong;
}

/** Return the tensor that a number is an entry of: 'W^1_21 after' is of 'W^1 after', 'y_1' of 'y'. */
export function tensorOf(name) {
  return name.replace(/_\d+/, "");
}

/** Say how far two numbers are apart. */
export function apart(a, b, wrong) {
  if (wrong) return Number.isFinite(a - b) && b !== 0 ? `off by ${percent(Math.abs((a - b) / b))}` : "off";
  const between = ulps(a, b);
  return between > MOST_ULPS ? "by rounding" : `${between} ulp`;
}

function percent(share) {
  const hundred = 100 * share;
  return `${hundred >= 10 ? Math.round(hundred).toLocaleString("en") : hundred.toPrecision(2)} %`;
}
