/**
 * The command line: what can be typed, and how it ends. Commands live in commands/, one file each, loaded when they are typed: `up` goes on running, and what
 * the others need (the HTTPS client of `get` and `apply` alone is 16 MB) is not to be held by it.
 */
import { parseBytes } from "@mecha/kit";
import { functionProtocols, strictNames } from "@mecha/sidecar";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import type { backupCommand } from "./commands/backup.ts";
import type { callCommand } from "./commands/call.ts";
import type { doctorCommand } from "./commands/doctor.ts";
import type { entityGet, entityHistoryCommand, entityList } from "./commands/entities.ts";
import { addEvents } from "./events-cli.ts";
import { addObjects } from "./objects-cli.ts";
import type { functionsCommand } from "./commands/functions.ts";
import type { restoreCommand } from "./commands/restore.ts";
import type { sidecarCommand } from "./commands/sidecar.ts";
import type { statusCommand } from "./commands/status.ts";
import type { TckCommandOptions } from "./commands/tck.ts";
import type { kubeconfigCommand } from "./commands/kubeconfig.ts";
import type { outboxDiscard, outboxList, outboxRetry } from "./commands/outbox.ts";
import type { timerCancel, timerList } from "./commands/timers.ts";
import type { entitiesExport, entitiesImport } from "./commands/transfer.ts";
import type { up } from "./commands/up.ts";
import { type Member, nodeExpected, nodePattern, parseMember } from "./up/cluster.ts";
import { bodyRange, hostNameExpected, hostNamePattern, originExpected, originPattern, topicExpected, topicPattern } from "./up/access.ts";
import { type ExitCode, exitCodes, verdictOf } from "./exit.ts";
import type { Io, OutputFormat } from "./io.ts";
import { version } from "./version.ts";

const exitHelp = `
Exit codes: 0 done · 1 tried and failed · 2 wrong arguments, project file or environment`;

/** Runs one command line (without node and script). Never throws; errors go to `io.err`. */
export async function run(argv: readonly string[], io: Io): Promise<ExitCode> {
  let code: ExitCode = exitCodes.ok;
  const program = buildProgram(io, (result) => (code = result));
  try {
    await program.parseAsync([...argv], { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    const verdict = verdictOf(error);
    io.err(wantsJson(argv) ? `${JSON.stringify({ error: verdict.json })}\n` : `mecha: ${verdict.lines}\n`);
    return verdict.code;
  }
}

function wantsJson(argv: readonly string[]): boolean {
  return argv.some(
    (word, i) => /^(-ojson|-o=json|--output=json)$/u.test(word) || (/^(-o|--output)$/u.test(word) && argv[i + 1] === "json"),
  );
}

function buildProgram(io: Io, done: (code: ExitCode) => void): Command {
  const program = new Command("mecha")
    .description("One multi-runtime: lifecycle, networking, binding and durable state for code in any language, from outside its process.")
    .version(version, "-V, --version", "print the version")
    .exitOverride()
    .configureOutput({ writeOut: io.out, writeErr: io.err })
    .showHelpAfterError("(add --help for what can be typed)")
    .showSuggestionAfterError()
    .addHelpText(
      "after",
      `
Examples:
  mecha up                                  run the project of this folder
  mecha entities list                       what is stored
  mecha call shop.Cart/GetCart '{"id":"7"}'  call a method over gRPC
${exitHelp}`,
    );

  program
    .command("up")
    .argument("[dir]", "folder of the project: mecha.yaml, files with Kubernetes objects, or both", ".")
    .description("Run a project: its functions, their durable state, one address for callers, one page to look at it.")
    .option("--port <port>", "ingress port; 0 takes a free one (spec.ingress.port)", portNumber)
    .option("--host <host>", "ingress address (spec.ingress.host)")
    .option("--admin-port <port>", "port of the admin page and API; 0 takes a free one (spec.admin.port)", portNumber)
    .option("--state <dir>", "state folder (spec.store.directory)")
    .option(
      "--kubernetes-port <port>",
      "port of the Kubernetes API; 0 takes a free one (spec.kubernetes.port; that of the last run, or a free one)",
      portNumber,
    )
    .option("--no-apply", "leave the objects in the folder's other YAML and JSON files alone")
    .option("--prune", "delete what an earlier start applied from files that no longer hold it")
    .option("--no-kubernetes", "do not serve the Kubernetes API (spec.kubernetes.enabled)")
    .option(
      "--metrics-port <port>",
      "serve Prometheus metrics on this port; 0 takes a free one (METRICS_PORT, spec.metrics.port; off)",
      portNumber,
    )
    .option("--allow-origin <origin>", "let web pages of this origin call (spec.ingress.allowedOrigins); may be repeated", origin)
    .option("--allow-host <name>", "serve callers that have this name for the machine (spec.ingress.hosts); may be repeated", hostName)
    .option("--allow-topic <name>", "let callers publish events to this topic (spec.ingress.topics); may be repeated", topic)
    .option("--body-max <size>", "largest HTTP body, like 4MiB (spec.ingress.bodyMaxBytes)", bodySize)
    .option("--node <name>", "which member of the cluster this is (MECHA_CLUSTER_NODE, spec.cluster.node)", node)
    .option(
      "--member <name=host:port>",
      "a process that holds the same CRDTs (MECHA_CLUSTER_MEMBERS, spec.cluster.members); may be repeated",
      member,
    )
    .option("--insecure", "allow addresses beyond loopback without TLS and authentication")
    .addHelpText(
      "after",
      examples(["mecha up", "mecha up examples/shopping-cart --port 8080", "mecha up --port 0 --admin-port 0 --state /tmp/try"]),
    )
    .action(async (folder: string, options: Parameters<typeof up>[1]) =>
      done(await (await import("./commands/up.ts")).up(io, { ...options, folder })),
    );

  program
    .command("sidecar")
    .description("Serve a user function that somebody else starts, as a sidecar container does.")
    .option("--state <dir>", "keep state in this folder; without it state is in memory and gone at the end")
    .option("--port <port>", "ingress port (HTTP_PORT, 9000)", portNumber)
    .option("--host <host>", "ingress address (127.0.0.1)")
    .option("--admin-port <port>", "port of the admin page and API, with --state (9001)", portNumber)
    .addOption(new Option("--protocol <name>", "what the function speaks (MECHA_PROTOCOL, auto)").choices(functionProtocols))
    .addOption(new Option("--strict <dialect>", "answer callers as Cloudstate's own proxy does (MECHA_STRICT, off)").choices(strictNames))
    .option("--metrics-port <port>", "serve Prometheus metrics on this port; 0 takes a free one (METRICS_PORT, off)", portNumber)
    .option("--allow-origin <origin>", "let web pages of this origin call (MECHA_ALLOWED_ORIGINS); may be repeated", origin)
    .option("--allow-host <name>", "serve callers that have this name for the machine (MECHA_ALLOWED_HOSTS); may be repeated", hostName)
    .option("--allow-topic <name>", "let callers publish events to this topic (MECHA_ALLOWED_TOPICS); may be repeated", topic)
    .option("--body-max <size>", "largest HTTP body, like 4MiB (MECHA_BODY_MAX)", bodySize)
    .option("--node <name>", "which member of the cluster this is (MECHA_CLUSTER_NODE)", node)
    .option("--member <name=host:port>", "a process that holds the same CRDTs (MECHA_CLUSTER_MEMBERS); may be repeated", member)
    .option("--insecure", "allow addresses beyond loopback without TLS and authentication")
    .addHelpText(
      "after",
      `
Environment:
  HTTP_PORT            ingress port, default 9000
  USER_FUNCTION_HOST   where the function listens, default 127.0.0.1
  USER_FUNCTION_PORT   its port, default 8080
  MECHA_PROTOCOL       auto, cloudstate, kalix or any
  MECHA_STRICT         off or cloudstate-0.2
${examples(["mecha sidecar", "USER_FUNCTION_PORT=9090 mecha sidecar --state ./state", "mecha sidecar --protocol any"])}`,
    )
    .action(async (options: Parameters<typeof sidecarCommand>[1]) =>
      done(await (await import("./commands/sidecar.ts")).sidecarCommand(io, options)),
    );

  const entities = program
    .command("entities")
    .description("Look at stored entities.")
    .addHelpText("after", examples(["mecha entities list"]));
  client(entities.command("export"))
    .description("Write what is stored as JSON lines on standard output: events, snapshots, values, CRDTs, timers.")
    .option("--service <name>", "only of this gRPC service")
    .option("--base64", "payloads as bytes throughout, for a Mecha whose functions do not know their types")
    .addHelpText("after", examples(["mecha entities export > all.jsonl", "mecha entities export --service shop.Cart | head"]))
    .action(async (options: Parameters<typeof entitiesExport>[1]) => (await import("./commands/transfer.ts")).entitiesExport(io, options));
  client(entities.command("import"))
    .description("Store the lines of an export. Nothing is written over; importing the same again changes nothing.")
    .argument("<file>", "file that `mecha entities export` wrote, or - for standard input")
    .addHelpText("after", examples(["mecha entities import all.jsonl", "grep shop.Cart all.jsonl | mecha entities import -"]))
    .action(async (file: string, options: Parameters<typeof entitiesImport>[1]) =>
      (await import("./commands/transfer.ts")).entitiesImport(io, options, file),
    );
  client(entities.command("list"))
    .description("List stored entities.")
    .option("--service <name>", "only of this gRPC service")
    .option("--search <text>", "only ids that contain the text")
    .option("--limit <n>", "at most this many", wholeNumber(1, 1_000_000), 100)
    .addHelpText("after", examples(["mecha entities list", "mecha entities list --service shop.Cart --search alice -o json"]))
    .action(async (options: Parameters<typeof entityList>[1]) => (await import("./commands/entities.ts")).entityList(io, options));
  client(entities.command("get"))
    .description("Show one entity: where it stands, its value or newest snapshot.")
    .argument("<service>", "gRPC service, e.g. shop.Cart")
    .argument("<id>", "entity id")
    .addHelpText("after", examples(["mecha entities get shop.Cart alice"]))
    .action(async (service: string, id: string, options: Parameters<typeof entityGet>[1]) =>
      (await import("./commands/entities.ts")).entityGet(io, options, service, id),
    );
  client(entities.command("history"))
    .description("Show the events of an event-sourced entity, oldest first.")
    .argument("<service>", "gRPC service, e.g. shop.Cart")
    .argument("<id>", "entity id")
    .option("--limit <n>", "only the newest n", wholeNumber(1, 1_000_000), 100)
    .option(
      "--at <sequence>",
      "go back: what the entity answered after this event, without a trace",
      wholeNumber(0, Number.MAX_SAFE_INTEGER),
    )
    .option("--command <name>", "with --at: the command to ask (the one that begins with Get, Read or Show)")
    .option("--input <json>", "with --at: its message; the id is filled in")
    .addHelpText(
      "after",
      examples([
        "mecha entities history shop.Cart alice",
        "mecha entities history shop.Cart alice --limit 1000 -o json",
        "mecha entities history shop.Cart alice --at 3",
      ]),
    )
    .action(async (service: string, id: string, options: Parameters<typeof entityHistoryCommand>[1]) =>
      (await import("./commands/entities.ts")).entityHistoryCommand(io, options, service, id),
    );

  const outbox = program
    .command("outbox")
    .description("Look at effects that could not be delivered, try them again, or discard them.")
    .addHelpText("after", examples(["mecha outbox list", "mecha outbox retry --all"]));
  client(outbox.command("list"))
    .description("List effects that were given up, oldest first.")
    .option("--waiting", "those that are still tried instead")
    .option("--limit <n>", "at most this many", wholeNumber(1, 1_000_000), 100)
    .addHelpText("after", examples(["mecha outbox list", "mecha outbox list --waiting -o json"]))
    .action(async (options: Parameters<typeof outboxList>[1]) => (await import("./commands/outbox.ts")).outboxList(io, options));
  const messages = (value: string, before: readonly number[] | undefined): readonly number[] => [
    ...(before ?? []),
    wholeNumber(1, Number.MAX_SAFE_INTEGER)(value),
  ];
  client(outbox.command("retry"))
    .description("Try effects again that were given up.")
    .argument("[message...]", "numbers shown by `mecha outbox list`", messages)
    .option("--all", "all that were given up")
    .addHelpText("after", examples(["mecha outbox retry 17 18", "mecha outbox retry --all"]))
    .action(async (ids: readonly number[], options: Parameters<typeof outboxRetry>[1]) =>
      (await import("./commands/outbox.ts")).outboxRetry(io, options, ids),
    );
  client(outbox.command("discard"))
    .description("Give up effects for good, those still tried too. One that is on its way may still arrive.")
    .argument("[message...]", "numbers shown by `mecha outbox list`", messages)
    .option("--all", "all that were given up")
    .addHelpText("after", examples(["mecha outbox discard 17", "mecha outbox discard --all"]))
    .action(async (ids: readonly number[], options: Parameters<typeof outboxDiscard>[1]) =>
      (await import("./commands/outbox.ts")).outboxDiscard(io, options, ids),
    );

  addEvents(program, io, { client, examples, wholeNumber });
  addObjects(program, io, { client, examples, wholeNumber });

  const timers = program
    .command("timers")
    .description("Look at durable timers, and cancel one.")
    .addHelpText("after", examples(["mecha timers list"]));
  client(timers.command("list"))
    .description("List timers, in the order they were set.")
    .option("--service <name>", "only of this gRPC service")
    .option("--id <id>", "with --service: only of this entity")
    .option("--limit <n>", "at most this many", wholeNumber(1, 1_000_000), 100)
    .addHelpText("after", examples(["mecha timers list", "mecha timers list --service shop.Cart --id alice -o json"]))
    .action(async (options: Parameters<typeof timerList>[1]) => (await import("./commands/timers.ts")).timerList(io, options));
  client(timers.command("cancel"))
    .description("Cancel a timer of an entity. A firing that is under way goes on.")
    .argument("<service>", "gRPC service, e.g. shop.Cart")
    .argument("<id>", "entity id")
    .argument("<name>", "name of the timer")
    .addHelpText("after", examples(["mecha timers cancel shop.Cart alice expire"]))
    .action(async (service: string, id: string, name: string, options: Parameters<typeof timerCancel>[1]) =>
      (await import("./commands/timers.ts")).timerCancel(io, options, service, id, name),
    );

  client(program.command("functions"))
    .description("List functions, their services, methods and HTTP routes.")
    .addHelpText("after", examples(["mecha functions", "mecha functions -o json"]))
    .action(async (options: Parameters<typeof functionsCommand>[1]) =>
      (await import("./commands/functions.ts")).functionsCommand(io, options),
    );

  client(program.command("status"))
    .description("Say what runs where.")
    .addHelpText("after", examples(["mecha status", "mecha status -C examples/shopping-cart"]))
    .action(async (options: Parameters<typeof statusCommand>[1]) => (await import("./commands/status.ts")).statusCommand(io, options));

  client(program.command("kubeconfig"))
    .description("Print the path of the project's kubeconfig, for kubectl.")
    .addHelpText("after", examples(["mecha kubeconfig", "kubectl --kubeconfig $(mecha kubeconfig) get namespaces"]))
    .action(async (options: Parameters<typeof kubeconfigCommand>[1]) =>
      (await import("./commands/kubeconfig.ts")).kubeconfigCommand(io, options),
    );

  client(program.command("backup"))
    .description("Copy the state of the running project into a folder, while it goes on, and verify it.")
    .argument("<folder>", "a new one; or one that is there, for a new one in it, named after project and time")
    .addHelpText("after", examples(["mecha backup backups/", "mecha backup /mnt/usb/shop -C examples/shopping-cart"]))
    .action(async (target: string, options: Parameters<typeof backupCommand>[1]) =>
      (await import("./commands/backup.ts")).backupCommand(io, options, target),
    );

  client(program.command("restore"))
    .description("Put a backup in the place of the state; Mecha must not be running. The state before is kept.")
    .argument("<backup>", "folder that `mecha backup` wrote, or a state.db")
    .addHelpText("after", examples(["mecha restore backups/shop-20261120T134500Z", "mecha restore shop-backup --state /srv/shop/.mecha"]))
    .action(async (backup: string, options: Parameters<typeof restoreCommand>[1]) =>
      (await import("./commands/restore.ts")).restoreCommand(io, options, backup),
    );

  client(program.command("doctor"))
    .description("Check a state folder and the files in it, running or not; say what is wrong and what to do.")
    .addHelpText("after", examples(["mecha doctor", "mecha doctor --state /srv/shop/.mecha -o json"]))
    .action(async (options: Parameters<typeof doctorCommand>[1]) =>
      done(await (await import("./commands/doctor.ts")).doctorCommand(io, options)),
    );

  client(program.command("call"))
    .description("Call a gRPC method by its name, with JSON; the server's reflection supplies the types.")
    .argument("<method>", "package.Service/Method")
    .argument("[json...]", "the request; several for a streamed request; none is {}")
    .option("--address <host:port>", "server to call (the running project's ingress, else 127.0.0.1:9000)")
    .option("-H, --header <name: value>", "gRPC metadata; may be repeated", collect, [])
    .option("--timeout <seconds>", "give up after this long", wholeNumber(1, 86_400), 30)
    .option("--ca <file>", "speak TLS to a server for which these sign (PEM)")
    .option("--cert <file>", "own certificate, with --ca, where the server asks for one (PEM)")
    .option("--key <file>", "its private key (PEM)")
    .addHelpText(
      "after",
      examples([
        `mecha call shop.Cart/GetCart '{"id":"alice"}'`,
        `mecha call --address 127.0.0.1:9000 shop.Cart/AddItem '{"id":"alice","item":"tea"}'`,
      ]),
    )
    .action(async (method: string, json: string[], options: Parameters<typeof callCommand>[1]) =>
      (await import("./commands/call.ts")).callCommand(io, options, method, json),
    );

  program
    .command("tck")
    .description("Check a user function, or a proxy, against the Cloudstate protocol 0.2, message by message.")
    .requiredOption("--function <host:port>", "a function that serves the TCK's model services")
    .option("--proxy <host:port>", "check this proxy, which has the function behind it; without it the function is checked")
    .option("--listen <port>", "with --proxy: where the proxy finds its function; 0 takes a free port", portNumber, 8_090)
    .option("--types <names>", "with --proxy: entity types it must say it supports, with commas (the reference's four)")
    .option("--only <names>", "only these cases, by id or group, with commas")
    .option("--junit <file>", "write a JUnit report too")
    .addOption(outputOption())
    .addHelpText(
      "after",
      examples([
        "mecha tck --function 127.0.0.1:8080",
        "mecha tck --function 127.0.0.1:8080 --only action,MV3 --junit tck.xml",
        "mecha tck --function 127.0.0.1:8080 --proxy 127.0.0.1:9000 --listen 8090",
      ]),
    )
    .action(async (options: TckCommandOptions) => {
      const { tckCommand } = await import("./commands/tck.ts"); // the whole kit: only for who asks for it
      done(await tckCommand(io, options));
    });

  program
    .command("version")
    .description("Print the version.")
    .addOption(outputOption())
    .addHelpText("after", examples(["mecha version -o json"]))
    .action(({ output }: { readonly output: OutputFormat }) =>
      io.out(
        output === "json"
          ? `${JSON.stringify({ version, node: process.versions.node })}\n`
          : `mecha ${version} on Node ${process.versions.node}\n`,
      ),
    );

  return program;
}

/** Options of every command that talks to a running Mecha. */
function client(command: Command): Command {
  return command
    .option("-C, --project <dir>", "project folder (this one, or the nearest above it)")
    .option("--state <dir>", "state folder of the running Mecha, when it was given to `up`")
    .addOption(outputOption());
}

function outputOption(): Option {
  return new Option("-o, --output <format>", "for people or for programs").choices(["text", "json"]).default("text");
}

function examples(lines: readonly string[]): string {
  return `
Examples:
${lines.map((line) => `  ${line}`).join("\n")}
${exitHelp}`;
}

function portNumber(text: string): number {
  return wholeNumber(0, 65_535)(text);
}

function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d{1,15}$/u.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`);
  };
}

/** A repeatable flag whose values look like `pattern`. */
function repeated(pattern: RegExp, expected: string): (value: string, earlier: readonly string[] | undefined) => readonly string[] {
  return (value, earlier = []) => {
    if (pattern.test(value)) return [...earlier, value];
    throw new InvalidArgumentError(`Expected ${expected}.`);
  };
}

const origin = repeated(originPattern, originExpected);
const hostName = repeated(hostNamePattern, hostNameExpected);
const topic = repeated(topicPattern, topicExpected);

function node(text: string): string {
  if (nodePattern.test(text)) return text;
  throw new InvalidArgumentError(`Expected ${nodeExpected}.`);
}

function member(text: string, earlier: readonly Member[] | undefined): readonly Member[] {
  const parsed = parseMember(text);
  if (parsed === undefined) throw new InvalidArgumentError("Expected a member like a=10.0.0.7:9003.");
  return [...(earlier ?? []), parsed];
}

function bodySize(text: string): number {
  const size = parseBytes(text);
  if (size !== undefined && size >= bodyRange.min && size <= bodyRange.max) return size;
  throw new InvalidArgumentError("Expected a size from 1KiB to 64MiB.");
}

function collect(value: string, earlier: readonly string[]): readonly string[] {
  return [...earlier, value];
}
