/**
 * Checks `control.db`. One pass over the changes in the order of their revisions.
 *
 * C3 revisions behind the compacted one have no gaps, and the compacted one is not beyond the newest
 * C4 each change names the one before it of the same object: 0 for a creation, also after a deletion
 * C5 an object's head is its newest change, and a deleted one has none      C6 what is stored is a JSON object, of the name it is stored under
 */
import type { DatabaseSync } from "node:sqlite";
import { type Findings, number } from "./findings.ts";

/** The newest change of an object seen so far. */
interface Latest {
  readonly revision: number;
  readonly deleted: boolean;
}

/** Names each stage before it begins. */
export function* checkObjects(db: DatabaseSync, found: Findings): Generator<string, void> {
  yield "changes";
  const latest = checkChanges(db, found);
  yield "objects";
  checkHeads(db, latest, found);
}

/** keeps C3, C4 and C6 */
function checkChanges(db: DatabaseSync, found: Findings): ReadonlyMap<string, Latest> {
  const compacted = number(db, "SELECT value FROM meta WHERE name = 'compacted'");
  const latest = new Map<string, Latest>();
  let last = compacted;
  for (const row of db.prepare("SELECT revision, key, previous, value FROM change ORDER BY revision").iterate()) {
    const revision = Number(row["revision"]);
    const key = String(row["key"]);
    const change = `change ${revision} of ${key}`;
    if (revision > last + 1) found.add("C3", `revision ${revision} follows ${last}`, "gap");
    last = Math.max(last, revision);
    const problem = previousProblem(Number(row["previous"]), { revision, compacted, before: latest.get(key) });
    if (problem !== undefined) found.add("C4", `${change} ${problem}`, "previous");
    const wrong = row["value"] === null ? undefined : valueProblem(key, String(row["value"]));
    if (wrong !== undefined) found.add("C6", `${change} ${wrong}`, "value");
    latest.set(key, { revision, deleted: row["value"] === null });
  }
  // The newest change always stays (objects/rows.ts, R2).
  const newest = number(db, "SELECT ifnull(max(revision), 0) FROM change");
  if (compacted > newest) found.add("C3", `changes up to revision ${compacted} are forgotten, the newest is ${newest}`);
  return latest;
}

/** What is wrong with the change a change says it follows. The one before may be forgotten, when the change itself is old enough. */
function previousProblem(
  previous: number,
  { revision, compacted, before }: { readonly revision: number; readonly compacted: number; readonly before: Latest | undefined },
): string | undefined {
  const said = previous === 0 ? "says that it creates the object" : `says that it follows revision ${previous}`;
  if (before && !before.deleted) return previous === before.revision ? undefined : `${said}, which follows revision ${before.revision}`;
  if (previous === 0) return undefined;
  if (before?.deleted === true) return `${said}, which was deleted by then`;
  return revision <= compacted && previous < revision ? undefined : `${said}, which is not there`;
}

/** keeps C5 */
function checkHeads(db: DatabaseSync, latest: ReadonlyMap<string, Latest>, found: Findings): void {
  const heads = new Set<string>();
  for (const row of db.prepare("SELECT key, revision FROM head").iterate()) {
    const key = String(row["key"]);
    const newest = latest.get(key);
    heads.add(key);
    const said = `${key} is said to be at revision ${String(row["revision"])}`;
    if (!newest) found.add("C5", `${said}, and there is no change of it`, "head of nothing");
    else if (newest.deleted) found.add("C5", `${said}, and was deleted at revision ${newest.revision}`, "head of a deleted one");
    else if (newest.revision !== row["revision"]) found.add("C5", `${said}, its newest change is ${newest.revision}`, "head");
  }
  for (const [key, { revision, deleted }] of latest)
    if (!deleted && !heads.has(key)) found.add("C5", `${key} was written at revision ${revision} and is not served`, "no head");
}

/** Keys are /group/plural/namespace/name. */
function valueProblem(key: string, value: string): string | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    return "is no JSON";
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) return "is no JSON object";
  const { metadata } = parsed as { metadata?: { name?: unknown } };
  const name = key.slice(key.lastIndexOf("/") + 1);
  return metadata?.name === undefined || metadata.name === name ? undefined : `is named ${JSON.stringify(metadata.name)}`;
}
