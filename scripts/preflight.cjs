/* Runs before every npm script, on whatever Node the machine has: plain ES5. Stops with the fix when Node is too old. */
"use strict";
var floor = 24;
var major = parseInt(process.versions.node.split(".")[0], 10);
if (major < floor) {
  console.error("Mecha needs Node " + floor + " or newer; this is " + process.versions.node + ".");
  console.error(
    "The repository brings its own as an optional dependency. Fix: run `npm ci --include=optional` here, then use the npm scripts.",
  );
  process.exit(1);
}
