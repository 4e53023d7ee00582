/** Configuration: every mistake at once, no secret in a message, and a table that is the reference. */
import assert from "node:assert/strict";
import test from "node:test";
import {
  bytes,
  durationMs,
  flag,
  integer,
  nearest,
  oneOf,
  optionsTable,
  port,
  readConfig,
  required,
  secret,
  text,
  unknownVariables,
} from "./config.ts";
import { explain, Fault } from "./fault.ts";
import { MemoryLog } from "./testing.ts";
import { kib, mib, minute, second } from "./units.ts";

const options = {
  graceMs: durationMs({ env: "MECHA_GRACE", default: 30 * second, min: 0, max: 5 * minute, doc: "How long open calls may finish." }),
  bodyMaxBytes: bytes({ env: "MECHA_BODY_MAX", default: 4 * mib, min: kib, doc: "Largest body." }),
  adminPort: port({ env: "MECHA_ADMIN_PORT", default: 9_000, doc: "Admin listener." }),
  kills: integer({ env: "MECHA_KILLS", default: undefined, min: 1, max: 1_000, doc: "Kills." }),
  host: text({
    env: "MECHA_HOST",
    default: "127.0.0.1",
    pattern: /^[a-z0-9.:-]+$/,
    expected: "a host name or address",
    doc: "Address to listen on.",
  }),
  insecure: flag({ env: "MECHA_INSECURE", default: false, doc: "Listen beyond loopback without TLS." }),
  logFormat: oneOf({ env: "MECHA_LOG", values: ["text", "json"], default: "text", doc: "Form of log lines: a | b." }),
  token: secret({ env: "MECHA_TOKEN", doc: "Admin token." }),
};

test("nothing set gives the defaults", () => {
  assert.deepEqual(readConfig(options, {}), {
    graceMs: 30_000,
    bodyMaxBytes: 4_194_304,
    adminPort: 9_000,
    kills: undefined,
    host: "127.0.0.1",
    insecure: false,
    logFormat: "text",
    token: undefined,
  });
});

test("everything set gives plain values, typed", () => {
  const env = {
    MECHA_GRACE: "1m",
    MECHA_BODY_MAX: "64KiB",
    MECHA_ADMIN_PORT: "0",
    MECHA_KILLS: "50",
    MECHA_HOST: "::1",
    MECHA_INSECURE: "1",
    MECHA_LOG: "json",
  };
  const config = readConfig(options, { ...env, MECHA_TOKEN: "hunter2" });
  const graceMs: number = config.graceMs;
  const kills: number | undefined = config.kills;
  const logFormat: "text" | "json" = config.logFormat;
  assert.deepEqual(
    [graceMs, config.bodyMaxBytes, config.adminPort, kills, config.host, config.insecure, logFormat],
    [60_000, 65_536, 0, 50, "::1", true, "json"],
  );
  assert.equal(config.token?.reveal(), "hunter2");
});

test("every mistake is reported in one Fault, with what was expected", () => {
  const env = {
    MECHA_GRACE: "soon",
    MECHA_BODY_MAX: "1",
    MECHA_ADMIN_PORT: "70000",
    MECHA_KILLS: "0",
    MECHA_HOST: "a b",
    MECHA_INSECURE: "maybe",
    MECHA_LOG: "xml",
  };
  assert.throws(
    () => readConfig(options, env),
    (error: Fault) => {
      assert.equal(error.code, "invalid");
      assert.deepEqual(explain(error).split(/: (?=MECHA)|; /), [
        "configuration",
        'MECHA_GRACE: expected a duration like 30s (0 to 5m), got "soon"',
        'MECHA_BODY_MAX: expected a size like 4MiB (at least 1KiB), got "1"',
        'MECHA_ADMIN_PORT: expected a port like 9000 (0 to 65535), got "70000"',
        'MECHA_KILLS: expected a whole number like 10 (1 to 1000), got "0"',
        'MECHA_HOST: expected a host name or address, got "a b"',
        'MECHA_INSECURE: expected true or false, got "maybe"',
        'MECHA_LOG: expected one of text, json, got "xml"',
      ]);
      return true;
    },
  );
});

test("a range is inclusive at both ends", () => {
  for (const [given, ms] of [
    ["0", 0],
    ["5m", 300_000],
  ] as const)
    assert.equal(readConfig(options, { MECHA_GRACE: given }).graceMs, ms);
  assert.throws(() => readConfig(options, { MECHA_GRACE: "5m1ms" }), Fault);
});

test("an empty variable counts as not set", () => {
  assert.equal(readConfig(options, { MECHA_GRACE: "" }).graceMs, 30_000);
});

test("a required variable that is missing is a mistake, and a number type afterwards", () => {
  const needed = { port: required(port({ env: "HTTP_PORT", default: undefined, doc: "Where the proxy listens." })) };
  const value: number = readConfig(needed, { HTTP_PORT: "9000" }).port;
  assert.equal(value, 9_000);
  assert.throws(() => readConfig(needed, {}), /configuration: HTTP_PORT: is required \(port, 0 to 65535\)\. Where the proxy listens\./);
});

test("the text of a wrong secret is not repeated", () => {
  const strict = { token: { ...secret({ env: "MECHA_TOKEN", doc: "Admin token." }), parse: () => ({ expected: "32 characters" }) } };
  assert.throws(
    () => readConfig(strict, { MECHA_TOKEN: "hunter2" }),
    (error: Fault) => error.message.includes("expected 32 characters") && !error.message.includes("hunter2"),
  );
});

test("an unknown MECHA_ variable is warned about, with the nearest name; others' and the tests' own are not", () => {
  const log = new MemoryLog();
  readConfig(options, { MECHA_GRAC: "1s", MECHA_ZZZZZZZZZZ: "1", PATH: "/bin", MECHA_TEST_NO_SKIP: "1" }, { log });
  assert.deepEqual(log.lines, [
    { level: "warn", message: "unknown configuration variable", fields: { variable: "MECHA_GRAC", didYouMean: "MECHA_GRACE" } },
    { level: "warn", message: "unknown configuration variable", fields: { variable: "MECHA_ZZZZZZZZZZ" } },
  ]);
  assert.deepEqual(unknownVariables(options, { MECHA_GRACE: "1s" }), []);
});

const words: readonly (readonly [word: string, found: string | undefined])[] = [
  ["entites", "entities"],
  ["UP", "up"],
  ["sidcar", "sidecar"],
  ["kubernetes", undefined],
];
for (const [word, found] of words) test(`nearest to ${word}`, () => assert.equal(nearest(word, ["up", "sidecar", "entities"]), found));

test("the reference table has a row for each option, escaped", () => {
  const table = optionsTable({
    graceMs: options.graceMs,
    kills: options.kills,
    logFormat: options.logFormat,
    port: required(port({ env: "PORT", default: undefined, doc: "Port." })),
  });
  assert.deepEqual(table.split("\n"), [
    "| Variable | Value | Default | Meaning |",
    "| --- | --- | --- | --- |",
    "| `MECHA_GRACE` | duration, 0 to 5m | `30s` | How long open calls may finish. |",
    "| `MECHA_KILLS` | whole number, 1 to 1000 | not set | Kills. |",
    "| `MECHA_LOG` | one of text, json | `text` | Form of log lines: a \\| b. |",
    "| `PORT` | port, 0 to 65535 | required | Port. |",
    "",
  ]);
});
