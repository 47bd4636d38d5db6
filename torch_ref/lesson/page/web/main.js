// The page: everything that it can compute, in one place.

import { pass, repeated, updated } from "./arithmetic.js";
import { DATA } from "./data.js";
import { FAULTS, plant, spoiled } from "./faults.js";
import { short, shown, ulps } from "./format.js";
import { formula } from "./math.js";
import { steps } from "./steps.js";
import { passByTape } from "./tape.js";

const arithmetic = { pass, updated, repeated, passByTape, FAULTS, plant, spoiled };
globalThis.lesson = { ...arithmetic, steps, formula, shown, short, ulps, DATA };
