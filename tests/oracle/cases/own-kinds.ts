/**
 * Our own kinds on a real server: it takes our CRDs as they are, and answers objects of them as ours does. Objects are made from the schemas, and then
 * damaged, always the same ones.
 */
import fc from "fast-check";
import { type JsonObject, type KubeObject, ownCrds } from "@mecha/kinds";
import type { Case, Session } from "../session.ts";

/** Objects of each kind: as many again are damaged. */
const runs = 200;
const seed = 20_261_120;

export function ownKindCases(): Case[] {
  return ownCrds().flatMap((crd) => [
    { name: `own/${crd.metadata.name}/definition`, run: (session) => definition(session, crd) },
    { name: `own/${crd.metadata.name}/valid`, run: (session) => corpus(session, crd, goodObjects(crd)) },
    { name: `own/${crd.metadata.name}/damaged`, run: (session) => corpus(session, crd, damaged(goodObjects(crd))) },
  ]);
}

async function definition(session: Session, { metadata }: KubeObject): Promise<void> {
  const { status, body } = await session.get(`/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${metadata.name}`, { quiet: true });
  session.note("spec", [status, body.spec]);
  session.note(
    "conditions",
    Object.fromEntries(body.status.conditions.map((each: any) => [each.type, [each.status, each.reason, each.message]])),
  );
}

async function corpus(session: Session, crd: KubeObject, objects: fc.Arbitrary<JsonObject>): Promise<void> {
  const spec = crd["spec"] as { group: string; names: { plural: string; kind: string } };
  const at = `/apis/${spec.group}/${versionOf(crd)}/namespaces/${await session.stage()}/${spec.names.plural}`;
  for (const [i, fields] of fc.sample(objects, { numRuns: runs, seed }).entries()) {
    const object = { apiVersion: `${spec.group}/${versionOf(crd)}`, kind: spec.names.kind, ...fields, metadata: { name: `g${i}` } };
    const { status, headers, body } = await session.post(`${at}?dryRun=All`, object, { quiet: true });
    const said =
      status === 201
        ? body
        : { reason: body.reason, causes: sortedCauses(body.details?.causes ?? []), message: status === 422 ? undefined : body.message };
    session.note(`${i} ${JSON.stringify(fields).slice(0, 160)}`, { status, warning: headers["warning"], said });
  }
}

/** The real server finds them in no order: it walks maps. */
function sortedCauses(causes: readonly object[]): readonly object[] {
  return [...causes].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

interface Version {
  readonly name: string;
  readonly schema: { readonly openAPIV3Schema: Schema };
}

function firstVersion(crd: KubeObject): Version {
  const [version] = (crd["spec"] as { versions: readonly Version[] }).versions;
  if (!version) throw new Error(`${crd.metadata.name} has no version`);
  return version;
}

const versionOf = (crd: KubeObject): string => firstVersion(crd).name;

/** Of what a user writes: without apiVersion, kind and metadata. */
function schemaOf(crd: KubeObject): Schema {
  const { properties = {}, ...rest } = firstVersion(crd).schema.openAPIV3Schema;
  const { apiVersion: _version, kind: _kind, metadata: _metadata, ...own } = properties;
  return { ...rest, properties: own };
}

interface Schema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema;
  readonly items?: Schema;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly format?: string;
}

/** What the schema allows; of a store, whose rule wants exactly one database, mostly just one. */
function goodObjects(crd: KubeObject): fc.Arbitrary<JsonObject> {
  const objects = objectOf(schemaOf(crd));
  if (!crd.metadata.name.startsWith("statefulstores.")) return objects;
  return fc.tuple(objects, fc.nat()).map(([object, which]) => {
    const spec = Object.entries((object["spec"] ?? {}) as JsonObject);
    const kept = spec[which % Math.max(spec.length, 1)];
    return which % 8 === 0 || !kept ? object : { ...object, spec: Object.fromEntries([kept]) };
  });
}

function objectOf(schema: Schema): fc.Arbitrary<JsonObject> {
  return valueOf({ ...schema, type: "object" }) as fc.Arbitrary<JsonObject>;
}

/** Something the schema allows, rules between fields apart. */
function valueOf(schema: Schema): fc.Arbitrary<unknown> {
  if (schema.enum) return fc.constantFrom(...schema.enum);
  switch (schema.type) {
    case "object":
      return schema.properties
        ? fc.record(Object.fromEntries(Object.entries(schema.properties).map(([name, each]) => [name, valueOf(each)])), {
            requiredKeys: [...(schema.required ?? [])],
          })
        : fc.dictionary(fc.stringMatching(/^[a-z]{1,6}$/u), valueOf(schema.additionalProperties ?? { type: "string" }), { maxKeys: 3 });
    case "array":
      return fc.array(valueOf(schema.items ?? { type: "string" }), {
        minLength: schema.minItems ?? 0,
        maxLength: Math.min(schema.maxItems ?? 3, 3),
      });
    case "integer":
      return fc.integer({ min: schema.minimum ?? -1_000, max: schema.maximum ?? 1_000_000 });
    case "number":
      return fc.integer({ min: schema.minimum ?? -1_000, max: schema.maximum ?? 1_000 });
    case "boolean":
      return fc.boolean();
    case "string":
      if (schema.format === "date-time") return fc.constantFrom("2030-01-01T00:00:00Z", "2030-06-01T12:00:00Z");
      return schema.pattern === undefined
        ? fc.string({ minLength: schema.minLength ?? 0, maxLength: Math.min(schema.maxLength ?? 12, 12) })
        : fc.stringMatching(new RegExp(schema.pattern, "u"));
    default:
      return fc.oneof(fc.integer({ min: 0, max: 99 }), fc.constantFrom("50%", "http"));
  }
}

type Damage = "drop" | "null" | "text" | "number" | "list" | "object" | "unknown" | "huge" | "empty";
const damages: readonly Damage[] = ["drop", "null", "text", "number", "list", "object", "unknown", "huge", "empty"];

/** One to three places of the object are broken. */
function damaged(objects: fc.Arbitrary<JsonObject>): fc.Arbitrary<JsonObject> {
  const wound = fc.record({ where: fc.nat(), how: fc.constantFrom(...damages) });
  return fc.tuple(objects, fc.array(wound, { minLength: 1, maxLength: 3 })).map(([object, wounds]) => {
    const broken = structuredClone(object);
    for (const { where, how } of wounds) damage(broken, where, how);
    return broken;
  });
}

function damage(object: JsonObject, where: number, how: Damage): void {
  const places = placesIn(object);
  const place = places[where % Math.max(places.length, 1)];
  if (!place) return;
  const [holder, key] = place;
  if (how === "drop") delete holder[key];
  else if (how === "unknown") holder["unknownField"] = { deep: 1 };
  else holder[key] = { null: null, text: "x", number: 7, list: ["x"], object: { x: 1 }, huge: 1e15, empty: "" }[how];
}

function placesIn(value: unknown): [JsonObject, string][] {
  if (typeof value !== "object" || value === null) return [];
  return Object.keys(value).flatMap((key) => [[value as JsonObject, key] as [JsonObject, string], ...placesIn((value as JsonObject)[key])]);
}
