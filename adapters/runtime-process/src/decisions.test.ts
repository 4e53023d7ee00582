import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { commandWords, lean, nodeFlags } from "./command.ts";
import { LineSplitter, lineMaxChars } from "./lines.ts";
import { planRestart, restartPolicy } from "./restart.ts";

const noJitter = { ...restartPolicy, jitter: 0 };

/** Delays after runs of the given lengths, ms. */
function delays(upMs: readonly number[], chance = 0.5, policy = noJitter): number[] {
  let history = { ends: 0 };
  return upMs.map((up) => {
    const planned = planRestart(history, up, chance, policy);
    history = planned.history;
    return planned.delayMs;
  });
}

test("a function that keeps crashing is started after 1, 2, 4, 8, 10, 10 s", () => {
  assert.deepEqual(delays([0, 5, 5, 5, 5, 5]), [1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
});

test("a run of 30 s starts the back-off over", () => {
  assert.deepEqual(delays([0, 0, 0, 29_999, 30_000, 0]), [1_000, 2_000, 4_000, 8_000, 1_000, 2_000]);
});

test("jitter moves a delay by at most a fifth", () => {
  assert.deepEqual(delays([0], 0, restartPolicy), [800]);
  assert.deepEqual(delays([0], 1, restartPolicy), [1_200]);
});

test("a thousand ends in a row still give a finite delay", () => {
  assert.equal(delays(Array.from({ length: 1_200 }, () => 0)).at(-1), 10_000);
});

test("one program becomes the leader itself, so that the parent-death signal reaches it", () => {
  const guarded = (command: string | string[]): readonly string[] => commandWords(command, "parentDeathSignal");
  assert.deepEqual(guarded(["node", "a b.js"]), ["setpriv", "--pdeathsig", "KILL", "--", "node", "a b.js"]);
  const lines: [string, string][] = [
    ["node src/main.ts", "exec node src/main.ts"],
    [`  node -e 'console.log("x")'`.replace(/[()]/gu, ""), `exec node -e 'console.log"x"'`],
    ["A=1 B=/x node main.js", "A=1 B=/x exec node main.js"],
    ["./bin/cart --port $PORT", "exec ./bin/cart --port $PORT"],
  ];
  for (const [line, shell] of lines) assert.deepEqual(guarded(line).slice(4), ["/bin/sh", "-c", shell], line);
});

test("a function that our own Node runs gets its flags in front of the user's; nothing else does", () => {
  const flags = nodeFlags.join(" ");
  assert.equal(lean("node --max-semi-space-size=64 main.ts"), `node ${flags} --max-semi-space-size=64 main.ts`);
  assert.deepEqual(lean(["node", "main.ts"]), ["node", ...nodeFlags, "main.ts"]);
  for (const other of ["npm start", "nodemon main.ts", "A=1 node main.ts", "./node main.ts", "node"]) assert.equal(lean(other), other);
  assert.deepEqual(lean(["/opt/node", "main.ts"]), ["/opt/node", "main.ts"]);
});

test("a line of several commands, or for the shell itself, stays as it is and gets the lifeline", () => {
  for (const line of [
    "npm run build && npm start",
    "cd x; node y",
    "a | b",
    "a > b",
    "exit 3",
    "(a)",
    "a\nb",
    "if true",
    "X='a b' node c",
    "echo `x`",
    "exec node x",
  ]) {
    const words = commandWords(line, "parentDeathSignal");
    assert.deepEqual(words.slice(0, 2), ["/bin/sh", "-c"], line);
    assert.match(words[2] ?? "", /kill -KILL 0/u);
    assert.ok(words[2]?.endsWith(`\n${line}`), line);
  }
  assert.deepEqual(commandWords(["node", "a b.js"], "lifeline").slice(3), ["sh", "node", "a b.js"]);
});

test("lines come out the same however the bytes were cut", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "grapheme" })), fc.array(fc.nat(40)), (texts, cuts) => {
      const bytes = Buffer.from(texts.map((t) => t.replace(/[\r\n]/gu, "") + "\n").join(""));
      const splitter = new LineSplitter();
      const seen: string[] = [];
      let at = 0;
      for (const cut of cuts) {
        seen.push(...splitter.push(bytes.subarray(at, at + cut)));
        at += cut;
      }
      seen.push(...splitter.push(bytes.subarray(at)), ...splitter.end());
      assert.deepEqual(
        seen,
        texts.map((t) => t.replace(/[\r\n]/gu, "")),
      );
    }),
  );
});

test("a line without end is delivered in bounded pieces", () => {
  const splitter = new LineSplitter();
  const pieces = [...splitter.push(Buffer.alloc(lineMaxChars * 2 + 5, "x")), ...splitter.end()];
  assert.deepEqual(
    pieces.map((p) => p.length),
    [lineMaxChars, lineMaxChars, 5],
  );
});

test("Windows line ends and a last line without end are lines", () => {
  const splitter = new LineSplitter();
  assert.deepEqual([...splitter.push(Buffer.from("a\r\nb")), ...splitter.end()], ["a", "b"]);
});
