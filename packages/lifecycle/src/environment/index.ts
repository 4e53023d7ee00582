/**
 * The environment of a container, as its pod template says it: `env` and `envFrom` with values from ConfigMaps, Secrets and the object itself, and `$(NAME)`
 * filled in. Pure: `needs` says what to fetch, `environmentOf` takes it.
 *
 * E1 of several entries with one name the last counts; `env` comes after `envFrom`
 * E2 `$(NAME)` is filled in from entries before it, `$$` stands for `$`, and what is not known stays as it was written
 * @see Kubernetes, "Define Dependent Environment Variables" and "Configure a Pod to Use a ConfigMap"
 */
import { type JsonObject, type KubeObject, mapAt, objectAt, objectsAt, textAt, valueAt } from "@mecha/kinds";

/** A ConfigMap or Secret of the object's namespace. */
export interface ConfigRef {
  readonly kind: "ConfigMap" | "Secret";
  readonly name: string;
}

export interface EnvironmentSources {
  /** The object the container is of: what `fieldRef` reads. */
  readonly object: KubeObject;
  /** `undefined`: there is none. */
  config(ref: ConfigRef): KubeObject | undefined;
}

/** `problem` is for people; the container cannot start with it. */
export type EnvironmentReading = { readonly env: Readonly<Record<string, string>> } | { readonly problem: string };

/** All ConfigMaps and Secrets the container reads variables from, each once. */
export function needs(container: JsonObject): readonly ConfigRef[] {
  const all = [
    ...objectsAt(container, "envFrom").flatMap((one) => [ref("ConfigMap", one, "configMapRef"), ref("Secret", one, "secretRef")]),
    ...objectsAt(container, "env").flatMap((one) => [
      ref("ConfigMap", one, "valueFrom.configMapKeyRef"),
      ref("Secret", one, "valueFrom.secretKeyRef"),
    ]),
  ].filter((one) => one !== undefined);
  return [...new Map(all.map((one) => [`${one.kind}/${one.name}`, one])).values()];
}

function ref(kind: ConfigRef["kind"], entry: JsonObject, path: string): ConfigRef | undefined {
  const name = textAt(entry, `${path}.name`);
  return name === "" ? undefined : { kind, name };
}

export function environmentOf(container: JsonObject, sources: EnvironmentSources): EnvironmentReading {
  const env = new Map<string, string>();
  try {
    for (const from of objectsAt(container, "envFrom")) addAll(env, from, sources);
    for (const entry of objectsAt(container, "env")) {
      const value = valueOf(entry, env, sources);
      if (value !== undefined) set(env, textAt(entry, "name"), value); // keeps E1
    }
    return { env: Object.fromEntries(env) };
  } catch (error) {
    if (error instanceof Missing) return { problem: error.message };
    throw error;
  }
}

/** Ends the reading; says what is missing, and where it is asked for. */
class Missing extends Error {
  override readonly name = "Missing";
}

/** A process cannot be given what ends a C string. */
function set(env: Map<string, string>, name: string, value: string): void {
  if (value.includes("\0")) throw new Missing(`env ${name}: its value holds a NUL character`);
  env.set(name, value);
}

function addAll(env: Map<string, string>, from: JsonObject, sources: EnvironmentSources): void {
  for (const [kind, path] of [
    ["ConfigMap", "configMapRef"],
    ["Secret", "secretRef"],
  ] as const) {
    const wanted = ref(kind, from, path);
    if (!wanted) continue;
    const found = sources.config(wanted);
    if (!found && valueAt(from, `${path}.optional`) !== true) throw new Missing(`envFrom: there is no ${kind} ${wanted.name}`);
    for (const [key, value] of Object.entries(found ? textsOf(kind, found) : {}))
      if (isVariableName(key)) set(env, `${textAt(from, "prefix")}${key}`, value);
  }
}

/** Any printable ASCII but `=`, as Kubernetes since 1.32; keys that are none are passed over, as there. */
function isVariableName(key: string): boolean {
  return /^[ -<>-~]+$/u.test(key);
}

/** `undefined`: the variable is left out. */
function valueOf(entry: JsonObject, env: ReadonlyMap<string, string>, sources: EnvironmentSources): string | undefined {
  const from = objectAt(entry, "valueFrom");
  const [source] = Object.keys(from);
  const at = `env ${textAt(entry, "name")}`;
  if (source === undefined) return expand(textAt(entry, "value"), env);
  if (source === "configMapKeyRef") return keyOf("ConfigMap", objectAt(from, source), at, sources);
  if (source === "secretKeyRef") return keyOf("Secret", objectAt(from, source), at, sources);
  if (source === "fieldRef") return fieldOf(textAt(from, "fieldRef.fieldPath"), at, sources.object);
  throw new Missing(`${at}: valueFrom.${source} is not there for a process; use value, configMapKeyRef, secretKeyRef or fieldRef`);
}

function keyOf(kind: ConfigRef["kind"], from: JsonObject, at: string, sources: EnvironmentSources): string | undefined {
  const [name, key] = [textAt(from, "name"), textAt(from, "key")];
  const found = sources.config({ kind, name });
  const value = found && own(textsOf(kind, found), key);
  if (value !== undefined || from["optional"] === true) return value;
  throw new Missing(found ? `${at}: ${kind} ${name} has no key ${key}` : `${at}: there is no ${kind} ${name}`);
}

function textsOf(kind: ConfigRef["kind"], object: KubeObject): Readonly<Record<string, string>> {
  const data = mapAt(object, "data");
  if (kind === "ConfigMap") return data;
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, decoder.decode(Uint8Array.from(atob(value), (char) => char.charCodeAt(0)))]),
  );
}
const decoder = new TextDecoder();

/** Of what a pod could read of itself, that which holds for a process of this machine. */
function fieldOf(path: string, at: string, { metadata }: KubeObject): string {
  const keyed = /^metadata\.(labels|annotations)\['([^']+)'\]$/u.exec(path);
  if (keyed) return own(metadata[keyed[1] as "labels" | "annotations"] ?? {}, keyed[2] ?? "") ?? "";
  if (path === "metadata.name") return metadata.name;
  if (path === "metadata.namespace") return metadata.namespace ?? "";
  if (path === "metadata.uid") return metadata.uid ?? "";
  if (path === "status.podIP" || path === "status.hostIP") return "127.0.0.1";
  throw new Missing(
    `${at}: the field ${path} is not there for a process; metadata.name, namespace, uid, labels['…'] and annotations['…'] are`,
  );
}

/** The text of that key, which may be called `constructor`. */
function own(texts: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(texts, key) ? texts[key] : undefined;
}

/** Fills in `$(NAME)`. keeps E2 */
export function expand(text: string, env: ReadonlyMap<string, string>): string {
  return text.replace(/\$\$|\$\(([^()]*)\)/gu, (all, name: string | undefined) => (name === undefined ? "$" : (env.get(name) ?? all)));
}
