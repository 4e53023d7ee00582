/**
 * Runs one benchmark: `npm run bench -- counter --seconds 5`. Without a name it lists them. What is behind the name goes to the benchmark.
 * Figures are kept in bench/results; docs/performance explains them.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { root } from "./checks.ts";

interface Benchmark {
  readonly file: string;
  readonly what: string;
  /** Programs it needs besides Node. */
  readonly programs?: readonly string[];
  /** It compares with peers, which are installed apart from everything else. */
  readonly peers?: boolean;
}

const benchmarks: Record<string, Benchmark> = {
  counter: {
    file: "counter/run.ts",
    what: "durable adds over HTTP, beside Restate and the machine's own floor",
    programs: ["wrk"],
    peers: true,
  },
  memory: {
    file: "counter/memory.ts",
    what: "memory of all processes beside Restate's: fresh, after a hot key, after 10,000 keys, after an idle minute",
    programs: ["wrk"],
    peers: true,
  },
  activation: { file: "engine/activation.ts", what: "first command of an entity with many events, with and without snapshots" },
  idle: { file: "engine/idle.ts", what: "memory of 100,000 active entities that have nothing to do" },
  streams: { file: "engine/streams.ts", what: "1,000 streamed calls at a time" },
  growth: { file: "engine/growth.ts", what: "cost of a command as the store grows to 10 million events", programs: ["wrk"] },
  http: { file: "micro/http-echo.ts", what: "one HTTP/1.1 request: our listener beside node:http", programs: ["wrk"] },
  grpc: { file: "micro/grpc-echo.ts", what: "gRPC echo, unary and streamed" },
  engine: { file: "micro/engine.ts", what: "the state engine alone" },
  journal: { file: "micro/journal.ts", what: "the SQLite store beside the disk's floor" },
  kube: { file: "kube/run.ts", what: "the Kubernetes API beside etcd and kube-apiserver", programs: ["go"] },
  json: { file: "micro/json-codec.ts", what: "JSON to protobuf and back" },
  sdk: { file: "micro/sdk-stream.ts", what: "a function written with the SDK" },
  cloudstate: { file: "micro/cloudstate-codec.ts", what: "the protocol's codec" },
};

const [first = "", ...args] = process.argv.slice(2);
const wantsList = ["", "--help", "-h", "help"].includes(first);
const name = wantsList ? "" : first;
const chosen = Object.hasOwn(benchmarks, name) ? benchmarks[name] : undefined;
if (chosen === undefined) {
  const list = Object.entries(benchmarks).map(([each, { what }]) => `  ${each.padEnd(12)}${what}`);
  console.error(
    `${name === "" ? "" : `no benchmark "${name}"\n`}npm run bench -- NAME [options]; its options: npm run bench -- NAME --help\n${list.join("\n")}`,
  );
  process.exit(name === "" ? 0 : 2);
}
const asksHelp = args.includes("--help") || args.includes("-h");
const missing = asksHelp ? undefined : missingFor(chosen);
if (missing !== undefined) {
  console.error(`${name}: ${missing}`);
  process.exit(2);
}
process.exit(
  spawnSync(process.execPath, [join(root, "bench", chosen.file), ...args], {
    stdio: "inherit",
    cwd: root,
    env: { ...process.env, MECHA_BENCHMARK: name },
  }).status ?? 1,
);

/** What has to be installed first, and how. */
function missingFor({ programs = [], peers = false }: Benchmark): string | undefined {
  if (process.platform !== "linux") return "figures come from /proc, so it needs Linux";
  for (const program of programs) {
    if (spawnSync(program, ["--version"]).error)
      return `needs ${program}; install it with the system's packages (Debian: apt-get install ${program})`;
  }
  const own = args.some((arg, at) => arg === "--peers=mecha" || (arg === "--peers" && args[at + 1] === "mecha"));
  if (peers && !own && !existsSync(join(root, "bench/node_modules"))) {
    return "needs the peers; install them with `npm ci --prefix bench`, or leave them out with `--peers mecha`";
  }
  return undefined;
}
