import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Fault, Secret } from "@mecha/kit";
import { consoleLog, type ConsoleLogOptions, hostClock, hostRandom, privateFolder, readTextFile, writePrivateFile } from "./index.ts";

const timeMs = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

function lines(options: ConsoleLogOptions, use: (log: ReturnType<typeof consoleLog>) => void): string[] {
  const written: string[] = [];
  use(consoleLog({ ...options, write: (line) => written.push(line), wallMs: () => timeMs }));
  return written;
}

test("a line for people has time, level, message and fields; a field with spaces is quoted", () => {
  const [line] = lines({}, (log) => log.with({ function: "cart" }).warn("restarted", { reason: "exit 1", port: 80, none: undefined }));
  assert.equal(line, '03:04:05.678 warn  restarted  function=cart reason="exit 1" port=80\n');
});

test("a JSON line carries faults as their chain and never a secret", () => {
  const fault = new Fault("unavailable", "connect", { cause: new Error("refused") });
  const [line] = lines({ json: true }, (log) => log.error("failed", { fault, token: new Secret("hunter2"), n: 5n }));
  assert.deepEqual(JSON.parse(line ?? ""), {
    time: "2026-01-02T03:04:05.678Z",
    level: "error",
    message: "failed",
    fault: "unavailable: connect: refused",
    token: "[secret]",
    n: "5",
  });
});

test("entries below the level are dropped", () => {
  assert.equal(lines({}, (log) => log.debug("x")).length, 0);
  assert.equal(lines({ level: "debug" }, (log) => log.debug("x")).length, 1);
  assert.equal(lines({ level: "error" }, (log) => log.warn("x")).length, 0);
});

test("foreign text cannot forge a second log line", () => {
  const [line] = lines({}, (log) => log.info("a\nb", { field: "c\nd\u001b[2J" }));
  assert.equal(line?.split("\n").length, 2);
  assert.ok(!line?.includes("\u001b"));
});

test("a private file is written whole, with mode 0600, and replaces the old one", async () => {
  const folder = mkdtempSync(join(tmpdir(), "mecha-host-"));
  try {
    const inner = join(folder, "a", "b");
    await privateFolder(inner);
    assert.equal(statSync(inner).mode & 0o777, 0o700);
    const path = join(inner, "token");
    writeFileSync(path, "old", { mode: 0o644 });
    await writePrivateFile(path, "new");
    assert.equal(readFileSync(path, "utf8"), "new");
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(inner), ["token"]);
    assert.equal(await readTextFile(path, 3), "new");
    assert.equal(await readTextFile(join(inner, "none"), 3), undefined);
    await assert.rejects(readTextFile(path, 2), (error: Fault) => error.code === "outOfRange");
    await assert.rejects(readTextFile(inner, 10), (error: Fault) => error.code === "precondition");
    await assert.rejects(writePrivateFile(join(inner, "none", "x"), ""), (error: Fault) => error.code === "precondition");
    await assert.rejects(privateFolder(path), (error: Fault) => error.code === "precondition");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("the clock's timer fires once and not after it was cancelled", async () => {
  const fired: string[] = [];
  const cancel = hostClock.after(1, () => fired.push("cancelled"));
  cancel();
  cancel();
  await new Promise<void>((resolve) => {
    const keepAlive = setInterval(() => undefined, 1000);
    hostClock.after(5, () => {
      fired.push("fired");
      clearInterval(keepAlive);
      resolve();
    });
  });
  assert.deepEqual(fired, ["fired"]);
});

test("random numbers stay below their bound and bytes have the length asked for", () => {
  for (let i = 0; i < 100; i++) assert.ok(hostRandom.below(3) < 3);
  assert.equal(hostRandom.below(1), 0);
  assert.equal(hostRandom.bytes(17).length, 17);
});
