/**
 * What differs between two servers by nature, and not by what they do: ids, times, revisions, names, addresses and ports a server makes up. Each is replaced
 * by a mark, the same one on both sides.
 *
 * N1 the same text is always replaced by the same mark; what was not there is never marked
 * N2 an address or port is only marked when a server chose it: one that a request named before stays as it is
 */

export class Masks {
  /** Addresses and numbers of requests, before a server gave them. */
  readonly #named = new Set<string>();
  /** What a server made up, and its mark. */
  readonly #given = new Map<string, string>();

  /** How the name starts that the last request left to the server. */
  #generateName: unknown;

  /** To be called before the request is sent. */
  asked(path: string, body: unknown): void {
    this.#generateName = (body as { metadata?: { generateName?: unknown } } | null | undefined)?.metadata?.generateName;
    const text = `${path} ${typeof body === "string" ? body : (JSON.stringify(body) ?? "")}`;
    for (const [found] of text.matchAll(addressOrNumber)) if (!this.#given.has(found)) this.#named.add(found);
  }

  learn(value: unknown): void {
    if (typeof value !== "object" || value === null) return;
    if (Array.isArray(value)) {
      for (const each of value) this.learn(each);
      return;
    }
    const { metadata, items, object, kind, spec, details } = value as {
      metadata?: { name?: unknown; generateName?: unknown };
      items?: unknown;
      object?: unknown;
      kind?: unknown;
      spec?: unknown;
      details?: { name?: unknown };
    };
    this.learn(items);
    this.learn(object);
    this.#learnName(metadata ?? {});
    if (kind === "Status") this.#learnName({ name: details?.name, generateName: this.#generateName }); // of what was refused
    if (kind === "Service" || (typeof spec === "object" && spec !== null && "clusterIP" in spec)) this.#learnService(spec);
  }

  masked(value: unknown): unknown {
    return mask(
      value,
      (text) => this.#text(text),
      (port) => this.#given.get(String(port)) ?? port,
    );
  }

  #learnName({ name, generateName }: { readonly name?: unknown; readonly generateName?: unknown }): void {
    if (typeof name !== "string" || typeof generateName !== "string") return;
    const start = generateName.slice(0, generatedStartMax);
    if (name.startsWith(start) && name.length === start.length + 5) this.#given.set(name, `${start}<5>`);
  }

  /** keeps N2 */
  #learnService(spec: unknown): void {
    const { clusterIP, clusterIPs, ports, healthCheckNodePort } = (spec ?? {}) as {
      clusterIP?: unknown;
      clusterIPs?: unknown;
      ports?: unknown;
      healthCheckNodePort?: unknown;
    };
    for (const address of [clusterIP, ...(Array.isArray(clusterIPs) ? (clusterIPs as unknown[]) : [])])
      if (typeof address === "string" && clusterAddress.test(address)) this.#give(address, "<cluster address>");
    const nodePorts = (Array.isArray(ports) ? ports : []).map((each: { nodePort?: unknown } | null) => each?.nodePort);
    for (const port of [healthCheckNodePort, ...nodePorts])
      if (typeof port === "number" && port > nodePortsFrom) this.#give(String(port), "<node port>");
  }

  #give(text: string, mark: string): void {
    if (!this.#named.has(text)) this.#given.set(text, mark);
  }

  #text(text: string): string {
    let result = text.replaceAll(addressOrNumber, (found) => this.#given.get(found) ?? found);
    for (const [from, to] of this.#given) if (to.endsWith("<5>")) result = result.replaceAll(from, to);
    return result
      .replaceAll(uuid, "<uid>")
      .replaceAll(microTime, "<microtime>")
      .replaceAll(time, "<time>")
      .replaceAll(revisionInText, "$1<rv>")
      .replaceAll(revisionInObject, "$1<rv>")
      .replaceAll(serverAddress, "127.0.0.1:<port>");
  }
}

const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/gu;
const microTime = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z/gu;
const time = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/gu;
const revisionInText =
  /(resource ?version: |current: |ResourceVersion in (?:the )?(?:precondition|record) \(|ResourceVersion in (?:precondition|object meta): |resource version: \d+ \()\d+/giu;
/** Of an object a message shows as a whole, quoted. */
const revisionInObject = /(\\"resourceVersion\\":\\")\d+/gu;
/** Characters servers keep of the start of a name they make. */
const generatedStartMax = 58;
const serverAddress = /127\.0\.0\.1:\d{4,5}/gu;
/** Whole: not a part of a longer number or address. */
const addressOrNumber = /(?<![\d.])(?:\d{1,3}(?:\.\d{1,3}){3}|\d+)(?!\.?\d)/gu;
/** Of the range services get theirs from, 10.96.0.0/12, and not its first: that is what a dry run shows. */
const clusterAddress = /^(?!10\.96\.0\.0$)10\.(?:9[6-9]|10\d|11[01])\.\d{1,3}\.\d{1,3}$/u;
/** The first itself is what a dry run shows. */
const nodePortsFrom = 30_000;
const revision = /^[1-9]\d*$/u;

function sorted(list: readonly unknown[]): unknown[] {
  const text = (item: unknown): string => {
    const { operation = "", manager = "", subresource = "", field = "", message = "" } = item as Record<string, string>;
    return [operation, manager, subresource, field, message].join(" ");
  };
  return [...list].sort((a, b) => (text(a) < text(b) ? -1 : 1));
}

/** Fields whose keys Go checks in any order, another one each time. */
const checkedByKey = /^metadata\.(?:labels|annotations)$/u;

/** A refusal with the causes of one map in order, and its message, which lists them. */
function inMapOrder(value: object): object {
  const { kind, message, details } = value as {
    kind?: unknown;
    message?: unknown;
    details?: { causes?: { field: string; message: string }[] };
  };
  const causes = details?.causes ?? [];
  if (kind !== "Status" || typeof message !== "string" || !causes.some(({ field }) => checkedByKey.test(field))) return value;
  const inOrder = [...causes];
  for (const name of new Set(causes.map(({ field }) => field).filter((field) => checkedByKey.test(field)))) {
    const own = sorted(causes.filter(({ field }) => field === name)) as typeof causes;
    for (const [i, { field }] of causes.entries()) if (field === name) inOrder[i] = own.shift() ?? causes[i]!;
  }
  const list = (of: typeof causes): string => of.map((cause) => `${cause.field}: ${cause.message}`).join(", ");
  return { ...value, message: message.replace(list(causes), () => list(inOrder)), details: { ...details, causes: inOrder } };
}

/** keeps N1 */
function mask(value: unknown, text: (text: string) => string, port: (port: number) => unknown): unknown {
  if (typeof value === "string") return text(value);
  if (Array.isArray(value)) return value.map((each) => mask(each, text, port));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(inMapOrder(value)).map(([key, each]) => {
      if (key === "resourceVersion" && typeof each === "string" && revision.test(each)) return [key, "<rv>"];
      if ((key === "nodePort" || key === "healthCheckNodePort") && typeof each === "number") return [key, port(each)];
      // Ages: both servers took as long as they took.
      if (key === "cells" && Array.isArray(each))
        return [key, each.map((cell) => (/^\d+s$/u.test(String(cell)) ? "<age>" : mask(cell, text, port)))];
      // Both servers order entries by their time in whole seconds, then by name; conflicts as their maps have them.
      if (key === "managedFields" && Array.isArray(each)) return [key, sorted(mask(each, text, port) as unknown[])];
      if (key === "causes" && JSON.stringify(each).includes("FieldManagerConflict"))
        return [key, sorted(mask(each, text, port) as unknown[])];
      if (key === "continue" && typeof each === "string" && each !== "") return [key, "<continue>"];
      return [text(key), mask(each, text, port)];
    }),
  );
}
