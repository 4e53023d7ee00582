/**
 * What differs between two servers by nature, and not by what they do: ids, times, revisions, names, addresses and ports a server makes up. Each is replaced
 * by a mark, the same one on both sides.
 *
 * N1 the same text, revisions apart, is always replaced by the same mark; what was not there is never marked
 * N2 only what a server chose is marked: an id, revision, address or port that a request named before stays as it is
 * N3 marks tell apart what has to be told apart: an object made anew has another id, and a change gives it another revision (`<rv +1>`: one more than when
 *    it was last shown)
 */

type Json = Record<string, unknown>;

export class Masks {
  /** Ids, addresses and numbers of requests, before a server gave them. */
  readonly #named = new Set<string>();
  /** Ids, addresses, ports and names a server made up, and their marks. */
  readonly #given = new Map<string, string>();
  readonly #madeNames = new Set<string>();
  readonly #revisions = new Revisions();
  /** How many ids an object's name has had. */
  readonly #ids = new Map<string, number>();
  /** Places of the columns of the last table that depend on the time. */
  #ageColumns: readonly number[] = [];
  readonly #nowMs: () => number;

  constructor(nowMs: () => number = Date.now) {
    this.#nowMs = nowMs;
  }

  /** How the name starts that the last request left to the server. */
  #generateName: unknown;

  /** To be called before the request is sent. */
  asked(path: string, body: unknown): void {
    this.#generateName = isObject(body) && isObject(body["metadata"]) ? body["metadata"]["generateName"] : undefined;
    const text = `${path} ${typeof body === "string" ? body : (JSON.stringify(body) ?? "")}`;
    for (const pattern of [addressOrNumber, uuid])
      for (const [found] of text.matchAll(pattern)) if (!this.#given.has(found)) this.#named.add(found);
    this.#revisions.asked(text);
  }

  /** @param dry Nothing was kept, so that its ids are nobody's. */
  learn(value: unknown, dry = false): void {
    if (Array.isArray(value)) for (const each of value) this.learn(each, dry);
    if (!isObject(value)) return;
    const { metadata, items, rows, object, spec, kind, details } = value;
    this.learn(items, dry);
    this.learn(rows, dry);
    this.learn(object, dry);
    if (isObject(metadata)) this.#learnMetadata(metadata, kind, dry);
    if (isObject(spec)) this.#learnService(spec);
    if (kind === "Status" && isObject(details)) this.#learnName(details["name"], this.#generateName); // of what was refused
  }

  masked(value: unknown): unknown {
    if (typeof value === "string") return this.#text(value);
    if (Array.isArray(value)) return value.map((each) => this.masked(each));
    if (!isObject(value)) return value;
    if (Array.isArray(value["columnDefinitions"])) this.#ageColumns = ageColumnsOf(value["columnDefinitions"] as Json[]);
    const steady = inOrder(value);
    return Object.fromEntries(Object.entries(steady).map(([key, each]) => [this.#text(key), this.#field(key, each, steady)]));
  }

  #field(key: string, value: unknown, within: Json): unknown {
    if (key === "resourceVersion" && typeof value === "string") return this.#revisions.mark(value, within["uid"]);
    if (key === "nodePort" || key === "healthCheckNodePort") return this.#given.get(String(value)) ?? value;
    // Which port a server listens on is nobody's choice here.
    if (key === "serverAddress" && typeof value === "string") return value.replace(/:\d+$/u, ":<port>");
    if (key === "continue" && typeof value === "string" && value !== "") return "<continue>";
    if (key === "cells" && Array.isArray(value))
      return value.map((cell: unknown, i) => (this.#ageColumns.includes(i) ? aged(cell) : this.masked(cell)));
    return this.masked(value);
  }

  #learnMetadata(metadata: Json, kind: unknown, dry: boolean): void {
    const { name, generateName, uid, resourceVersion } = metadata;
    this.#learnName(name, generateName);
    if (typeof uid === "string") this.#learnId(uid, typeof name === "string" ? (this.#given.get(name) ?? name) : "", dry);
    // Controllers inside the real server write the status of a definition when they come to it.
    if (typeof resourceVersion === "string") this.#revisions.learn(resourceVersion, kind === "CustomResourceDefinition" ? undefined : uid);
  }

  #learnName(name: unknown, generateName: unknown): void {
    if (typeof name !== "string" || typeof generateName !== "string") return;
    const start = generateName.slice(0, generatedStartMax);
    if (!isMade(name, start)) return;
    this.#given.set(name, `${start}<5>`);
    this.#madeNames.add(name);
  }

  /** keeps N3 */
  #learnId(uid: string, name: string, dry: boolean): void {
    if (this.#given.has(uid) || this.#named.has(uid)) return;
    if (dry) return void this.#given.set(uid, `<uid of ${name}, dry run>`);
    const count = (this.#ids.get(name) ?? 0) + 1;
    this.#ids.set(name, count);
    this.#given.set(uid, count === 1 ? `<uid of ${name}>` : `<uid ${count} of ${name}>`);
  }

  #learnService({ clusterIP, clusterIPs, ports, healthCheckNodePort }: Json): void {
    for (const address of [clusterIP, ...listed(clusterIPs)])
      if (typeof address === "string" && clusterAddress.test(address)) this.#give(address, "<cluster address>");
    for (const port of [healthCheckNodePort, ...listed(ports).map((each) => (isObject(each) ? each["nodePort"] : undefined))])
      if (typeof port === "number" && port > nodePortsFrom) this.#give(String(port), "<node port>");
  }

  /** keeps N2 */
  #give(text: string, mark: string): void {
    if (!this.#named.has(text)) this.#given.set(text, mark);
  }

  #text(text: string): string {
    let result = text.replaceAll(addressOrNumber, (found) => this.#given.get(found) ?? found);
    for (const name of this.#madeNames) result = result.replaceAll(name, this.#given.get(name) ?? name);
    result = result.replaceAll(uuid, (found) => this.#given.get(found) ?? (this.#named.has(found) ? found : "<uuid>"));
    result = result.replaceAll(time, (found, micros: string | undefined) =>
      Math.abs(Date.parse(found) - this.#nowMs()) > nearMs ? found : micros === undefined ? "<time>" : "<microtime>",
    );
    return this.#revisions.inText(result);
  }
}

/** Revisions are counted over all objects, so their numbers say nothing; how many an object has had since it was last shown does. */
class Revisions {
  readonly #named = new Set<string>();
  readonly #given = new Set<string>();
  /** Of an object by its uid, in the order they were seen. */
  readonly #ofObjects = new Map<string, string[]>();
  /** Place of the one shown last. */
  readonly #shown = new Map<string, number>();

  asked(text: string): void {
    for (const [, found = ""] of text.matchAll(revisionInRequest)) if (!this.#given.has(found)) this.#named.add(found);
  }

  learn(revision: string, uid: unknown): void {
    this.#given.add(revision);
    if (typeof uid !== "string") return;
    const known = this.#ofObjects.get(uid) ?? [];
    if (!known.includes(revision)) this.#ofObjects.set(uid, [...known, revision]);
  }

  /** keeps N3 */
  mark(revision: string, uid: unknown): string {
    if (!/^[1-9]\d*$/u.test(revision) || (this.#named.has(revision) && !this.#given.has(revision))) return revision;
    if (typeof uid !== "string") return "<rv>";
    const [at, before] = [(this.#ofObjects.get(uid) ?? []).indexOf(revision), this.#shown.get(uid)];
    if (at < 0) return "<rv>";
    this.#shown.set(uid, at);
    return before === undefined ? "<rv>" : `<rv ${at < before ? "" : "+"}${at - before}>`;
  }

  inText(text: string): string {
    const quoted = text.replaceAll(revisionInObject, "$1<rv>");
    return quoted.replaceAll(revisionInText, (whole, before: string, revision: string) =>
      this.#named.has(revision) ? whole : `${before}<rv>`,
    );
  }
}

/** Times a server sets are about now; those of the cases are years away. Two hours: longer than any run, and than any token or grace period asked for. */
const nearMs = 2 * 3_600_000;
const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gu;
const time = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z/gu;
const revisionInRequest = /resourceVersion(?:=|":\s*")(\d+)/gu;
const revisionInText =
  /((?<!too old )resource ?version: |current: |ResourceVersion in (?:the )?(?:precondition|record) \(|ResourceVersion in (?:precondition|object meta): |too old resource version: \d+ \()(\d+)/giu;
/** Of an object a message shows as a whole, quoted. */
const revisionInObject = /(\\"resourceVersion\\":\\")\d+/gu;
/** Whole: not a part of a longer number or address. */
const addressOrNumber = /(?<![\d.])(?:\d{1,3}(?:\.\d{1,3}){3}|\d+)(?!\.?\d)/gu;
/** Of the range services get theirs from, 10.96.0.0/12, and not its first: that is what a dry run shows. */
const clusterAddress = /^(?!10\.96\.0\.0$)10\.(?:9[6-9]|10\d|11[01])\.\d{1,3}\.\d{1,3}$/u;
/** The first itself is what a dry run shows. */
const nodePortsFrom = 30_000;

/** Five letters and digits of those that make no words. */
function isMade(name: string, start: string): boolean {
  return name.startsWith(start) && /^[bcdfghjklmnpqrstvwxz2456789]{5}$/u.test(name.slice(start.length));
}
/** Characters servers keep of the start of a name they make. */
const generatedStartMax = 58;

function ageColumnsOf(columns: readonly Json[]): readonly number[] {
  return columns.flatMap(({ name }, i) => (ageColumns.has(String(name)) ? [i] : []));
}
const ageColumns = new Set(["Age", "Last Seen", "First Seen", "Last Schedule", "Duration"]);

/** Both servers took as long as they took, but not longer than a run may. */
function aged(cell: unknown): unknown {
  return typeof cell === "string" && /^\d{1,3}s$|^\d{1,2}m(?:\d{1,2}s)?$/u.test(cell) ? "<age>" : cell;
}

/** Lists whose order is not the server's word, in one order. */
function inOrder(value: Json): Json {
  const { managedFields, details, message } = value;
  if (Array.isArray(managedFields)) return { ...value, managedFields: managersInOrder(managedFields as Json[]) };
  if (!isObject(details) || !Array.isArray(details["causes"])) return value;
  const before = details["causes"] as readonly Json[];
  const causes = before.every(({ reason }) => reason === "FieldManagerConflict") ? byText(before) : causesInOrder(before);
  const [had, has] = [causesText(before), causesText(causes)];
  return { ...value, details: { ...details, causes }, message: typeof message === "string" ? message.replace(had, () => has) : message };
}

/**
 * The real server orders entries by operation, time in whole seconds, manager, version and subresource, so that the order changes with the seconds it took.
 * A list that keeps that order is put into one without times; another stays as it is.
 */
function managersInOrder(list: readonly Json[]): readonly Json[] {
  const key = (timed: boolean, { operation, time: when, manager, apiVersion, subresource }: Json): string =>
    [operation, timed ? when : "", manager, apiVersion, subresource].map((part) => String(part ?? "")).join("\u0000");
  const by = (timed: boolean) => (a: Json, b: Json) => (key(timed, a) < key(timed, b) ? -1 : 1);
  const kept = [...list].sort(by(true)).every((each, i) => each === list[i]);
  const named = list.map((each) => (serverName.test(String(each["manager"])) ? { ...each, manager: "<server>" } : each));
  return kept ? named.sort(by(false)) : named;
}
/** What each server calls itself where it writes; the real one goes by the name of its program's file. */
const serverName = /^(?:kube-apiserver-v[\d.]+|mecha-apiserver)$/u;

/** The real server walks maps in no order: neighbours that are about one map, or about its keys, are put into one. */
function causesInOrder(causes: readonly Json[]): readonly Json[] {
  const runs: Json[][] = [];
  for (const cause of causes) {
    const last = runs.at(-1);
    if (last?.[0] && mapOf(last[0]) === mapOf(cause)) last.push(cause);
    else runs.push([cause]);
  }
  return runs.flatMap(byText);
}

/** `data[a]` and `data[b]` are about `data`; `ports[1]` is about itself. */
function mapOf({ field }: Json): string {
  return String(field).replace(/\[(?!\d+\])[^\]]*\]$/u, "");
}

/** How a refusal says them in its message. */
function causesText(causes: readonly Json[]): string {
  return causes.map(({ field, message }) => `${String(field)}: ${String(message)}`).join(", ");
}

function byText(list: readonly Json[]): Json[] {
  const text = ({ field = "", message = "" }: Json): string => `${String(field)} ${String(message)}`;
  return [...list].sort((a, b) => (text(a) < text(b) ? -1 : 1));
}

function listed(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
