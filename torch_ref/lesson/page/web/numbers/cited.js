import { DATA } from "../data.js";

/**
 * How the lecture's formula for something is cited: "E12", "E14, its sum".
 * @param {string} owner linear, an activation or a loss
 * @param {string} makes forward, output, error, weight or bias
 */
export function cited(owner, makes) {
  return DATA.cited[owner][makes];
}
