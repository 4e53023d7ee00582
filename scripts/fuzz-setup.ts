/** Loaded before each test file by scripts/fuzz.ts: raises the number of inputs of every property that names none itself. */
import fc from "fast-check";

/** Against fast-check's own 100. */
const runsWhenFuzzing = 5_000;
fc.configureGlobal({ ...fc.readConfigureGlobal(), numRuns: runsWhenFuzzing });
