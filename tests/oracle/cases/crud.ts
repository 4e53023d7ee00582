/** The life of one object of each kind: made, read in every form, changed in every way, listed, deleted. */
import type { Case, Session } from "../session.ts";
import { collection, named, type Sample, samples } from "./samples.ts";

const table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
const partial = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json";
const partialList = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json";

export function crudCases(): Case[] {
  return samples.map((sample) => ({ name: `crud/${nameOf(sample)}`, run: (session) => life(session, sample) }));
}

export function nameOf({ root, plural, older }: Sample): string {
  const [, , group = "", version = ""] = root.split("/");
  return root === "/api/v1" ? plural : `${plural}.${group}${older ? `/${version}` : ""}`;
}

async function life(session: Session, sample: Sample): Promise<void> {
  const all = collection(sample, await session.stage());
  const name = `${session.namespace}-one`;
  const one = `${all}/${name}`;
  const made = named(sample, name, {}, session.namespace);
  await session.get(one, { label: "get before" });
  await session.post(`${all}?dryRun=All`, made, { label: "create, dry run" });
  await session.post(all, made, { label: "create" });
  await session.post(all, made, { label: "create again" });
  await session.get(one, { label: "get" });
  await session.get(one, { label: "get table", headers: { accept: table } });
  await session.get(`${one}?includeObject=None`, { label: "get table without object", headers: { accept: table } });
  await session.get(one, { label: "get metadata", headers: { accept: partial } });
  await change(session, sample, one);
  await session.post(all, named(sample, `${session.namespace}-two`, { labels: { mine: session.namespace } }, session.namespace), {
    label: "create two",
  });
  const mine = `labelSelector=mine%3D${session.namespace}`;
  await session.get(`${all}?${mine}`, { label: "list by label" });
  await session.get(`${all}?${mine}`, { label: "list table", headers: { accept: table } });
  await session.get(`${all}?${mine}`, { label: "list metadata", headers: { accept: partialList } });
  await session.get(`${all}?fieldSelector=metadata.name%3D${name}`, { label: "list by field", headers: { accept: partialList } });
  if (sample.namespaced)
    await session.get(`${sample.root}/${sample.plural}?${mine}`, { label: "list everywhere", headers: { accept: partialList } });
  await session.delete(`${one}?dryRun=All`, undefined, { label: "delete, dry run" });
  await session.delete(one, { gracePeriodSeconds: 0 }, { label: "delete" });
  await session.get(one, { label: "get after" });
  await session.delete(`${all}?${mine}`, undefined, { label: "delete collection" });
}

async function change(session: Session, sample: Sample, one: string): Promise<void> {
  const current = (await session.get(one, { quiet: true })).body as Record<string, unknown>;
  await session.put(one, current, { label: "update with nothing new" });
  await session.patch("merge", one, sample.change, { label: "merge patch" });
  await session.put(one, current, { label: "update of an old version" });
  await session.patch("strategic", one, { metadata: { annotations: { by: "strategic" } } }, { label: "strategic patch" });
  await session.patch("json", one, [{ op: "add", path: "/metadata/labels", value: { by: "json" } }], { label: "json patch" });
  const configuration = {
    apiVersion: sample.object["apiVersion"],
    kind: sample.object["kind"],
    metadata: { name: one.slice(one.lastIndexOf("/") + 1), labels: { by: "apply" } },
  };
  await session.patch("apply", `${one}?fieldManager=m1`, configuration, { label: "apply with a conflict" });
  await session.patch("apply", `${one}?fieldManager=m1&force=true`, configuration, { label: "apply by force" });
  if (!sample.status) return;
  await session.get(`${one}/status`, { label: "get status" });
  await session.patch(
    "merge",
    `${one}/status`,
    { metadata: { labels: { x: "y" } }, ...sample.change, ...sample.status },
    { label: "patch status" },
  );
  await session.patch("merge", one, { status: null }, { label: "status through the object" });
}
