/** Kubernetes objects in YAML and JSON files: of files somebody names, and of a project's folder beside its mecha.yaml. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { readTextFile } from "@mecha/host";
import { mib } from "@mecha/kit";
import { groupVersionOf, isObject, type KubeObject } from "@mecha/kinds";
import { kubernetesYaml } from "@mecha/machinery";
import { type Document, isNode, isSeq, LineCounter, parseAllDocuments } from "yaml";
import { UsageError } from "../exit.ts";

export interface Manifest {
  /** `deploy/cart.yaml:12`, for errors. */
  readonly where: string;
  readonly object: KubeObject;
}

/** Largest file, bytes. */
const fileMaxBytes = 16 * mib;
/** Mistakes shown at once. */
const problemsMax = 20;
const fileName = /\.(ya?ml|json)$/u;

/**
 * Of a folder its files in the order of their names; folders in it are not read.
 * @throws UsageError listing what is no object, each with file and line.
 */
export async function readManifests(path: string, shown: string): Promise<Manifest[]> {
  const found = await stat(path).catch(() => undefined);
  if (!found) throw new UsageError(`${shown}: there is no such file or folder`);
  const names = found.isDirectory() ? await filesOf(path) : [undefined];
  return readAll(
    names.map((name) => (name === undefined ? { path, shown } : { path: join(path, name), shown: join(shown, name) })),
    "all",
  );
}

/**
 * Objects beside a project file: of the folder's own YAML and JSON files the documents that have `apiVersion`, `kind` and `metadata`. Other files of those
 * names are other tools', and passed over.
 * @throws UsageError as readManifests.
 */
export async function readProjectManifests(folder: string, shown: string, except: string): Promise<Manifest[]> {
  const names = (await filesOf(folder).catch(() => [])).filter((name) => name !== except);
  return readAll(
    names.map((name) => ({ path: join(folder, name), shown: join(shown, name) })),
    "objects",
  );
}

async function filesOf(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => fileName.test(name)).sort();
}

type Which = "all" | "objects";

async function readAll(files: readonly { readonly path: string; readonly shown: string }[], which: Which): Promise<Manifest[]> {
  const problems: string[] = [];
  const manifests: Manifest[] = [];
  for (const { path, shown } of files) {
    const text = (await readTextFile(path, fileMaxBytes)) ?? "";
    const reading = readText(text, shown, which);
    manifests.push(...reading.manifests);
    problems.push(...reading.problems);
  }
  if (problems.length === 0) return manifests;
  const more = problems.length > problemsMax ? [`and ${String(problems.length - problemsMax)} more`] : [];
  throw new UsageError([...problems.slice(0, problemsMax), ...more].join("\n"));
}

/** What a file holds. Never throws. */
export function readText(text: string, shown: string, which: Which): { readonly manifests: Manifest[]; readonly problems: string[] } {
  const manifests: Manifest[] = [];
  const problems: string[] = [];
  // Cheap, for the lock files and settings of other tools.
  if (which === "objects" && !(text.includes("apiVersion") && text.includes("kind") && text.includes("metadata")))
    return { manifests, problems };
  const lines = new LineCounter();
  const lineAt = (offset: number): string => `${shown}:${String(lines.linePos(offset).line)}`;
  for (const document of documentsOf(text, lines)) {
    if (typeof document === "string") {
      problems.push(`${shown}: ${document}`);
      continue;
    }
    const [error] = document.errors;
    if (error) {
      problems.push(`${lineAt(error.pos[0])}: not readable as YAML: ${error.message.split("\n", 1)[0] ?? ""}`);
      continue;
    }
    for (const { value, offset } of entriesOf(document)) {
      const problem = problemOf(value, which);
      if (problem !== undefined && problem !== "skip") problems.push(`${lineAt(offset)}: ${problem}`);
      else if (problem === undefined) manifests.push({ where: lineAt(offset), object: value as KubeObject });
    }
  }
  return { manifests, problems };
}

/** A text in place of a document says why it cannot be read. */
function documentsOf(text: string, lineCounter: LineCounter): readonly (Document.Parsed | string)[] {
  try {
    const documents = parseAllDocuments(text, { ...kubernetesYaml, lineCounter, prettyErrors: false, logLevel: "silent" });
    return Array.isArray(documents) ? (documents as Document.Parsed[]) : [];
  } catch (error) {
    // The parser recurses: thousands of nested brackets exhaust the stack, which V8 reports as a RangeError and survives.
    if (error instanceof RangeError) return ["values are nested too deeply"];
    throw error;
  }
}

interface Entry {
  readonly value: unknown;
  readonly offset: number;
}

/** The document, or the items of a List. */
function entriesOf(document: Document.Parsed): readonly Entry[] {
  const offsetOf = (node: unknown): number => (isNode(node) ? (node.range?.[0] ?? 0) : 0);
  const value = valueOf(document);
  if (value === null || value === undefined) return [];
  const items = isObject(value) && value["kind"] === "List" && Array.isArray(value["items"]) ? (value["items"] as unknown[]) : undefined;
  if (!items) return [{ value, offset: offsetOf(document.contents) }];
  const nodes = document.get("items");
  return items.map((item, at) => ({ value: item, offset: offsetOf(isSeq(nodes) ? nodes.items[at] : document.contents) }));
}

function valueOf(document: Document.Parsed): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}

/** Files that have the shape of an object and are read by a program, not a server. */
const toolGroups = new Set(["kustomize.config.k8s.io", "mecha.dev"]);

/** Why it is no object; `skip`: it is somebody else's. */
function problemOf(value: unknown, which: Which): string | undefined {
  if (!isObject(value)) return which === "objects" ? "skip" : "an object needs apiVersion and kind";
  const { apiVersion, kind, metadata, problem } = value;
  if (typeof problem === "string" && Object.keys(value).length === 1) return problem;
  const named = typeof apiVersion === "string" && typeof kind === "string";
  if (which === "objects" && (!named || !isObject(metadata) || toolGroups.has(groupVersionOf(apiVersion).group))) return "skip";
  if (!named) return "an object needs apiVersion and kind";
  const name = isObject(metadata) ? (metadata["name"] ?? "") : "";
  if (name === "") return `${kind}: metadata.name is missing`;
  // `name: no` is a truth value, as kubectl reads it.
  if (typeof name !== "string") return `${kind}: metadata.name is read as ${JSON.stringify(name)} and must be a text: put it in quotes`;
  return undefined;
}
