/** `mecha get`, `describe`, `apply`, `delete`: the Kubernetes API for people without kubectl, of the project's own server or of any cluster. */
import { readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { readTextFile } from "@mecha/host";
import { explain, Fault, mib } from "@mecha/kit";
import { groupVersionOf, isObject, type KubeObject } from "@mecha/kinds";
import { openHttpsTransport, readKubeconfig } from "@mecha/kube";
import { ApiClient, idOf, type ObjectId, type ObjectTable, resourceRef, type ServedResource } from "@mecha/machinery";
import { parseAllDocuments, stringify } from "yaml";
import { UsageError } from "../exit.ts";
import { type Io, printable, table, withProgress } from "../io.ts";
import { type ClientOptions, printJson } from "./client-options.ts";
import { kubeconfigPath } from "./kubeconfig.ts";

export interface ObjectOptions extends ClientOptions {
  readonly namespace?: string;
  readonly kubeconfig?: string;
  readonly context?: string;
}

interface Connected extends Disposable {
  readonly client: ApiClient;
  /** Of objects that name none. */
  readonly namespace: string;
}

async function connect(io: Io, options: ObjectOptions): Promise<Connected> {
  const { kubeconfig, context, namespace } = options;
  const path = kubeconfig === undefined ? await kubeconfigPath(io, options) : resolve(io.cwd, kubeconfig);
  const access = readKubeconfig({ path, nowMs: () => io.clock.wall(), ...(context !== undefined && { context }) });
  const transport = openHttpsTransport({ access, userAgent: "mecha" });
  return {
    client: new ApiClient(transport, { fieldManager: "mecha" }),
    namespace: namespace ?? access.namespace,
    [Symbol.dispose]: () => transport[Symbol.dispose](),
  };
}

/** The resource a person means. @throws UsageError that says what there is. */
async function resourceNamed(client: ApiClient, typed: string): Promise<ServedResource> {
  const [name = "", ...groupParts] = typed.toLowerCase().split(".");
  const group = groupParts.join(".");
  const all = await client.resources();
  const found = all.filter(
    (one) => (one.plural === name || one.singular === name || one.shortNames.includes(name)) && (group === "" || groupOf(one) === group),
  );
  // The core group comes first, as with kubectl: `events` are those of v1.
  const [chosen] = found.toSorted((a, b) => Number(groupOf(a) !== "") - Number(groupOf(b) !== ""));
  if (!chosen) throw new UsageError(`there is no resource "${typed}"; the server has ${all.map(({ plural }) => plural).join(", ")}`);
  return chosen;
}

const groupOf = ({ apiVersion }: ServedResource): string => groupVersionOf(apiVersion).group;

function idFor(resource: ServedResource, namespace: string, name: string): ObjectId {
  return resource.namespaced ? { namespace, name } : { name };
}

interface GetOptions extends ObjectOptions {
  readonly allNamespaces?: boolean;
  readonly selector?: string;
}

/** `mecha get` */
export async function objectsGet(io: Io, options: GetOptions, typed: string, name: string | undefined): Promise<void> {
  using to = await connect(io, options);
  const resource = await withProgress(io, "waiting for the API server", resourceNamed(to.client, typed));
  const { selector: labelSelector, allNamespaces = false } = options;
  if (name !== undefined && allNamespaces) throw new UsageError("an object is of one namespace: leave out --all-namespaces, or the name");
  const everywhere = allNamespaces || !resource.namespaced;
  const selection = { ...(!everywhere && { namespace: to.namespace }), ...(labelSelector !== undefined && { labelSelector }) };
  if (options.output === "json") {
    printJson(
      io,
      name === undefined
        ? (await to.client.listAll(resource, selection)).items
        : await to.client.get(resource, idFor(resource, to.namespace, name)),
    );
    return;
  }
  const shown = await to.client.table(resource, { ...selection, ...(name !== undefined && { name }) });
  io.out(printable(tableText(shown, allNamespaces && resource.namespaced, `no ${resource.plural} found\n`)));
}

/** Columns that are always shown; the rest is `describe`'s. */
function tableText({ columnDefinitions, rows }: ObjectTable, withNamespace: boolean, none: string): string {
  if (rows.length === 0) return none;
  const columns = columnDefinitions.map((column, at) => ({ ...column, at })).filter(({ priority }) => priority === 0);
  const head = [...(withNamespace ? ["NAMESPACE"] : []), ...columns.map(({ name }) => name.toUpperCase())];
  const body = rows.map(({ cells, object }) => [
    ...(withNamespace ? [object?.metadata?.namespace ?? ""] : []),
    ...columns.map(({ at }) => cellText(cells[at])),
  ]);
  return table([head, ...body]);
}

function cellText(cell: unknown): string {
  if (cell === undefined || cell === null || cell === "") return "<none>";
  return typeof cell === "string" ? cell : JSON.stringify(cell);
}

interface EventLike extends KubeObject {
  readonly type?: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastTimestamp?: string;
}

/** `mecha describe` */
export async function objectsDescribe(io: Io, options: ObjectOptions, typed: string, name: string): Promise<void> {
  using to = await connect(io, options);
  const resource = await resourceNamed(to.client, typed);
  const object = await to.client.get<KubeObject>(resource, idFor(resource, to.namespace, name));
  const { uid = "", namespace } = object.metadata;
  const about = await to.client.listAll<EventLike>(resourceRef("v1", "Event"), {
    ...(namespace !== undefined && { namespace }),
    fieldSelector: `involvedObject.uid=${uid}`,
  });
  if (options.output === "json") {
    printJson(io, { object, events: about.items });
    return;
  }
  const { managedFields: _, ...metadata } = object.metadata;
  const rows = about.items.map(({ lastTimestamp = "", type = "", reason = "", message = "" }) => [lastTimestamp, type, reason, message]);
  const events = rows.length === 0 ? "no events\n" : table([["LAST SEEN", "TYPE", "REASON", "MESSAGE"], ...rows]);
  io.out(printable(`${stringify({ ...object, metadata })}\n${events}`));
}

/** `mecha delete` */
export async function objectsDelete(io: Io, options: ObjectOptions, typed: string, names: readonly string[]): Promise<void> {
  using to = await connect(io, options);
  const resource = await resourceNamed(to.client, typed);
  await eachOf(io, names, async (name) => {
    await to.client.delete(resource, idFor(resource, to.namespace, name), { propagationPolicy: "Background" });
    return `${resource.singular}/${name} deleted`;
  });
}

interface ApplyCommandOptions extends ObjectOptions {
  readonly forceConflicts?: boolean;
  readonly dryRun?: boolean;
}

/** `mecha apply`. Objects are applied in the order of the files; what fails is said, the others are applied all the same. */
export async function objectsApply(io: Io, options: ApplyCommandOptions, paths: readonly string[]): Promise<void> {
  const objects: Manifest[] = [];
  for (const path of paths) objects.push(...(await manifestsOf(resolve(io.cwd, path), path)));
  if (objects.length === 0) throw new UsageError(`${paths.join(", ")}: no object in there; .yaml, .yml and .json files are read`);
  using to = await connect(io, options);
  const kinds = new Kinds(to.client);
  await eachOf(io, objects, async ({ where, object }) => {
    const resource = await kinds.of(object, where);
    const { namespace = to.namespace, name } = object.metadata;
    const placed = resource.namespaced ? { ...object, metadata: { ...object.metadata, namespace } } : object;
    const before = await to.client.find(resource, idFor(resource, namespace, name));
    const after = await to.client.apply<KubeObject>(resource, placed, {
      force: options.forceConflicts ?? false,
      dryRun: options.dryRun ?? false,
    });
    const what = !before ? "created" : isDeepStrictEqual(content(before), content(after)) ? "unchanged" : "configured";
    return `${resource.singular}/${idOf(placed).name} ${what}${options.dryRun ? " (dry run)" : ""}`;
  });
}

/** The object without what the server keeps account of; a dry run raises no version, so versions do not tell. */
function content({ metadata, ...rest }: KubeObject): object {
  const { managedFields: _fields, resourceVersion: _version, generation: _generation, ...kept } = metadata;
  return { ...rest, metadata: kept };
}

interface Manifest {
  /** File, and which document of it, for errors. */
  readonly where: string;
  readonly object: KubeObject;
}

/** Files of a folder are read in the order of their names; folders in it are not. */
async function manifestsOf(path: string, shown: string): Promise<Manifest[]> {
  const found = await stat(path).catch(() => undefined);
  if (!found) throw new UsageError(`${shown}: there is no such file or folder`);
  if (!found.isDirectory()) return readManifests(path, shown);
  const names = (await readdir(path)).filter((name) => /\.(ya?ml|json)$/u.test(name)).sort();
  const all: Manifest[] = [];
  for (const name of names) all.push(...(await readManifests(join(path, name), join(shown, name))));
  return all;
}

/** Largest file, bytes. */
const fileMaxBytes = 16 * mib;

async function readManifests(path: string, shown: string): Promise<Manifest[]> {
  const text = (await readTextFile(path, fileMaxBytes)) ?? "";
  const manifests: Manifest[] = [];
  for (const [at, document] of parseAllDocuments(text).entries()) {
    const where = `${shown}, document ${String(at + 1)}`;
    const [problem] = document.errors;
    if (problem) throw new UsageError(`${where}: ${problem.message}`);
    const value: unknown = document.toJS({ maxAliasCount: 100 });
    if (value === null || value === undefined) continue;
    const items = isObject(value) && value["kind"] === "List" && Array.isArray(value["items"]) ? (value["items"] as unknown[]) : [value];
    manifests.push(...items.map((item) => ({ where, object: checked(item, where) })));
  }
  return manifests;
}

function checked(value: unknown, where: string): KubeObject {
  const metadata = isObject(value) ? value["metadata"] : undefined;
  if (!isObject(value) || typeof value["apiVersion"] !== "string" || typeof value["kind"] !== "string")
    throw new UsageError(`${where}: an object needs apiVersion and kind`);
  if (!isObject(metadata) || typeof metadata["name"] !== "string") throw new UsageError(`${where}: metadata.name is missing`);
  return value as unknown as KubeObject;
}

/** Kinds of the server; asked again when one is not known, as a CRD applied before may have brought it. */
class Kinds {
  readonly #client: ApiClient;
  #known: readonly ServedResource[] = [];

  constructor(client: ApiClient) {
    this.#client = client;
  }

  async of({ apiVersion, kind }: KubeObject, where: string): Promise<ServedResource> {
    const find = (): ServedResource | undefined => this.#known.find((one) => one.kind === kind && one.apiVersion === apiVersion);
    const known = find();
    if (known) return known;
    this.#known = await this.#client.resources();
    const found = find();
    if (!found)
      throw new Fault("notFound", `${where}: the server has no kind ${kind} of ${apiVersion}; is its CustomResourceDefinition applied?`);
    return found;
  }
}

/** Does each, says each. @throws Fault when some failed; each was said by then. */
async function eachOf<T>(io: Io, all: readonly T[], run: (one: T) => Promise<string>): Promise<void> {
  let failed = 0;
  for (const one of all) {
    try {
      io.out(`${printable(await withProgress(io, "waiting for the API server", run(one)))}\n`);
    } catch (error) {
      if (error instanceof UsageError) throw error;
      failed++;
      io.err(`mecha: ${printable(explain(error))}\n`);
    }
  }
  if (failed > 0) throw new Fault("unknown", `${String(failed)} of ${String(all.length)} failed`);
}
