/** `mecha get`, `describe`, `apply`, `delete`: the Kubernetes API for people without kubectl, of the project's own server or of any cluster. */
import { resolve } from "node:path";
import { explain, Fault } from "@mecha/kit";
import { groupVersionOf, type KubeObject } from "@mecha/kinds";
import { openHttpsTransport, readKubeconfig } from "@mecha/kube";
import { ApiClient, type ObjectTable, resourceRef, type ServedResource } from "@mecha/machinery";
import { stringify } from "yaml";
import { UsageError } from "../exit.ts";
import { type Io, printable, table, withProgress } from "../io.ts";
import { applyManifest, idFor, ServedKinds } from "../manifests/apply.ts";
import { type Manifest, readManifests } from "../manifests/read.ts";
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
  const manifests: Manifest[] = [];
  for (const path of paths) manifests.push(...(await readManifests(resolve(io.cwd, path), path)));
  if (manifests.length === 0) throw new UsageError(`${paths.join(", ")}: no object in there; .yaml, .yml and .json files are read`);
  using to = await connect(io, options);
  const kinds = new ServedKinds(to.client);
  const { forceConflicts: force = false, dryRun = false } = options;
  await eachOf(io, manifests, async (manifest) => {
    const applied = await applyManifest(to.client, await kinds.of(manifest), manifest.object, { namespace: to.namespace, force, dryRun });
    return `${applied.resource.singular}/${applied.object.metadata.name} ${applied.what}${dryRun ? " (dry run)" : ""}`;
  });
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
