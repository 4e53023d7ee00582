/**
 * `npm run oracle:kube`: the same requests to a real kube-apiserver and to ours, their answers compared.
 *
 *     npm run oracle:kube                          all cases; exits 1 for a difference accepted.ts does not list, or one it lists that is no more
 *     npm run oracle:kube -- crud errors/409       cases whose name contains one of the words
 *     npm run oracle:kube -- --files DIR           tries the objects in the YAML files of a folder instead, such as an operator's release
 *     npm run oracle:kube -- --junit FILE          also writes the result as JUnit
 *     npm run oracle:kube -- --open FILE           writes the differences nobody listed as JSON
 *     npm run oracle:kube -- --repeat 20 watch/    each case so often, to find those that vary
 *     npm run oracle:kube -- --serve               starts both, prints how to reach them, and waits for Ctrl-C
 *
 * Needs Go: the real server and its etcd are built once (tests/tools/kube-apiserver, tests/tools/etcd). Debian's etcd-server is taken where no etcd can be
 * built; it is too old for some cases, which then differ.
 */
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { ownCrds } from "@mecha/kinds";
import { tempDir } from "../support/files.ts";
import { builtKubeApiserver } from "../tools/kube-apiserver/build.ts";
import { accepted } from "./accepted.ts";
import { fileCases } from "./cases/files.ts";
import { allCases } from "./cases/index.ts";
import { Client, type Served } from "./client.ts";
import { type Accepted, compareEntries, type Judged, judge, unused } from "./diff.ts";
import { type CaseResult, caseText, isBad, junit, type RunResult, summary } from "./report.ts";
import { type Certificates, makeCertificates, onPath, startOurs, startReal } from "./servers.ts";
import { type Case, Session, type Who } from "./session.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    files: { type: "string" },
    junit: { type: "string" },
    open: { type: "string" },
    repeat: { type: "string", default: "1" },
    serve: { type: "boolean", default: false },
  },
});
if (!(await onPath("go"))) {
  console.error("oracle:kube needs Go (Debian: apt-get install golang)");
  process.exit(2);
}
const built = await builtKubeApiserver();
await using dir = await tempDir("oracle");
const certificates = await makeCertificates(dir.path);
await using ours = await startOurs(certificates);
await using real = await startReal(built, certificates, { past: true });
if (values.serve) await serve(real, ours, certificates);
else process.exitCode = await run(real, ours, certificates);

async function serve(one: Served, other: Served, { folder }: Certificates): Promise<void> {
  const tls = `--cacert ${folder}/ca.crt --cert ${folder}/caller-admin.crt --key ${folder}/caller-admin.key`;
  console.log(`real  curl ${tls} ${one.url}/api\nours  curl ${tls} ${other.url}/api\nCtrl-C ends both`);
  await new Promise<void>((resolve) => {
    process.once("SIGINT", () => resolve());
    process.once("SIGTERM", () => resolve());
  });
}

async function run(one: Served, other: Served, made: Certificates): Promise<number> {
  const [realClients, ourClients] = [await clientsOf(one, made), await clientsOf(other, made)];
  const all = values.files === undefined ? allCases() : await fileCases(values.files);
  const once = all.filter(({ name }) => positionals.length === 0 || positionals.some((word) => name.includes(word)));
  const chosen = Array.from({ length: Number(values.repeat) }, () => once).flat();
  const cases: CaseResult[] = [];
  const known: Judged["known"][number][] = [];
  await prepare(realClients.admin);
  for (const [i, each] of chosen.entries()) {
    const result = await runCase(each, `oracle-${i}`, realClients, ourClients);
    known.push(...result.known);
    cases.push(result.result);
    if (isBad(result.result)) console.log(caseText(result.result));
  }
  for (const client of [...Object.values(realClients), ...Object.values(ourClients)]) client[Symbol.dispose]();
  const table: readonly Accepted[] = positionals.length === 0 && values.files === undefined ? accepted : [];
  const found: RunResult = { version: built.version, cases, unused: unused(table, known) };
  console.log(summary(found));
  if (values.junit !== undefined) await writeFile(values.junit, junit(found));
  if (values.open !== undefined)
    await writeFile(
      values.open,
      `${JSON.stringify(
        cases.flatMap(({ open }) => open),
        undefined,
        2,
      )}\n`,
    );
  return cases.some(isBad) || found.unused.length > 0 ? 1 : 0;
}

async function runCase(
  each: Case,
  namespace: string,
  one: Record<Who, Client>,
  other: Record<Who, Client>,
): Promise<{ readonly result: CaseResult; readonly known: Judged["known"] }> {
  const beganMs = performance.now();
  const [real, ours] = [new Session(one, namespace), new Session(other, namespace)];
  const failures: string[] = [];
  const attempt = async (server: string, session: Session): Promise<void> => {
    try {
      await each.run(session);
    } catch (error) {
      failures.push(`on ${server}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
  };
  await Promise.all([attempt("real", real), attempt("ours", ours)]);
  const { open, known } = judge(compareEntries(each.name, real.entries, ours.entries), accepted);
  const compared = Math.max(real.entries.length, ours.entries.length);
  const tookMs = performance.now() - beganMs;
  const failed = failures.length > 0 ? { failed: failures.join("\n") } : {};
  return { result: { name: each.name, compared, open, known: known.length, tookMs, ...failed }, known };
}

async function clientsOf(served: Served, { caller }: Certificates): Promise<Record<Who, Client>> {
  return {
    admin: new Client(served, await caller("admin", ["system:masters"])),
    alice: new Client(served, await caller("alice", ["devs"])),
    nobody: new Client(served, {}),
  };
}

/** What ours has from the start and the real one has not: our own kinds. */
async function prepare(client: Client): Promise<void> {
  for (const body of ownCrds())
    await client.ask({ method: "POST", path: "/apis/apiextensions.k8s.io/v1/customresourcedefinitions?fieldManager=mecha", body });
}
