/**
 * Somebody's YAML files: every object in them is created, read, applied and changed on both servers. For `npm run oracle:kube -- --files DIR`, to try what
 * others publish; nothing of theirs is kept here.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import type { Case, Session } from "../session.ts";

interface Written {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name?: string; readonly generateName?: string; readonly namespace?: string };
}

/**
 * One case for each file of a folder and the folders in it, those with CRDs first: their kinds are needed by others.
 *
 * Documents that are not objects (templates with placeholders, values of other tools) are passed over, lists are opened.
 */
export async function fileCases(folder: string): Promise<readonly Case[]> {
  const names = (await readdir(folder, { recursive: true })).filter((name) => /\.(?:ya?ml|json)$/u.test(name)).sort();
  const files = await Promise.all(
    names.map(async (name) => ({ name: `files/${name}`, objects: objectsIn(await readFile(join(folder, name), "utf8")) })),
  );
  const brings = ({ objects }: { readonly objects: readonly Written[] }): boolean => objects.some(isCrd);
  return [...files.filter(brings), ...files.filter((file) => !brings(file))]
    .filter(({ objects }) => objects.length > 0)
    .map(({ name, objects }) => ({ name, run: (session) => each(session, objects) }));
}

function objectsIn(text: string): readonly Written[] {
  const documents = parseAllDocuments(text, { version: "1.1", logLevel: "silent" });
  return [...documents].flatMap((document) => (document.errors.length > 0 ? [] : opened(document.toJS())));
}

function opened(value: any): readonly Written[] {
  if (value?.kind === "List" && Array.isArray(value.items)) return value.items.flatMap(opened);
  return typeof value?.apiVersion === "string" && typeof value.kind === "string" && typeof value.metadata === "object" ? [value] : [];
}

async function each(session: Session, objects: readonly Written[]): Promise<void> {
  await session.stage();
  for (const object of objects) await tryOut(session, object);
}

async function tryOut(session: Session, object: Written): Promise<void> {
  const { kind, metadata } = object;
  const what = `${kind} ${metadata.name ?? metadata.generateName}`;
  const at = await collection(session, object);
  if (at === undefined) return session.note(what, "not served");
  // What a CRD's status says in the answer to its creation is a matter of moments on the real server.
  const quiet = isCrd(object);
  const created = await session.post(`${at}?fieldValidation=Warn&fieldManager=files`, object, { label: `${what}: create`, quiet });
  if (created.status !== 201) return session.note(`${what}: refused`, created.body);
  const { name } = created.body.metadata;
  if (isCrd(object)) await established(session, `${at}/${name}`);
  await session.get(`${at}/${name}`, { label: `${what}: get` });
  await session.get(`${at}?fieldSelector=metadata.name=${name}`, { label: `${what}: table`, headers: { accept: asTable } });
  const applied = { ...object, metadata: { ...metadata, name } };
  await session.patch("apply", `${at}/${name}?fieldManager=applier&force=true`, applied, { label: `${what}: apply` });
  const change = { metadata: { labels: { tried: "yes" } } };
  await session.patch("merge", `${at}/${name}?fieldManager=files`, change, { label: `${what}: label` });
  if (!isCrd(object)) await session.patch("strategic", `${at}/${name}?fieldManager=files`, object, { label: `${what}: strategic` });
}

const asTable = "application/json;as=Table;v=v1;g=meta.k8s.io";

/** Where objects of its kind are, in its namespace or, for one that names none, in that of the case. */
async function collection(session: Session, { apiVersion, kind, metadata }: Written): Promise<string | undefined> {
  const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const { body } = await session.get(root, { quiet: true });
  const found = body?.resources?.find((each: any) => each.kind === kind && !each.name.includes("/") && each.verbs.includes("get"));
  if (!found) return undefined;
  if (!found.namespaced) return `${root}/${found.name}`;
  const { namespace = session.namespace } = metadata;
  const made = { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } };
  await session.post("/api/v1/namespaces", made, { quiet: true });
  return `${root}/namespaces/${namespace}/${found.name}`;
}

const isCrd = ({ kind }: Written): boolean => kind === "CustomResourceDefinition";

/** The real server begins to serve a kind, and says so, a little after its definition. */
async function established(session: Session, definition: string): Promise<void> {
  await session.until(`${definition} is served`, async () => {
    const { spec, status } = (await session.get(definition, { quiet: true })).body;
    const { name: version } = spec.versions.find((each: any) => each.storage);
    const objects = await session.get(`/apis/${spec.group}/${version}/${spec.names.plural}?limit=1`, { quiet: true });
    const isSaid = status?.conditions?.some((each: any) => each.type === "Established" && each.status === "True");
    return isSaid === true && objects.status === 200;
  });
}
