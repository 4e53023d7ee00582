/**
 * Checks `topics.db`.
 *
 * T1 positions are of the log: none is beyond the newest one ever given, or one would be given twice; topics, shards and attributes can be read
 * T2 no consumer group's cursor is ahead of the log        T3 a parked event says whose it is, and can be read
 */
import type { DatabaseSync } from "node:sqlite";
import { topicProblem } from "@mecha/binding/topics";
import { metadataOf } from "../metadata.ts";
import { shards } from "../schema.ts";
import { checkCursors, type Findings, number } from "./findings.ts";

/** Names each stage before it begins. */
export function* checkTopics(db: DatabaseSync, found: Findings): Generator<string, void> {
  yield "messages";
  const given = number(db, "SELECT seq FROM sqlite_sequence WHERE name = 'message'");
  checkMessages(db, given, found);
  yield "cursors";
  // Of messages the offset is the position.
  checkCursors(db, found, { rule: "T2", newest: given, nextOffset: () => given + 1 });
  checkParked(db, found);
}

/** keeps T1 */
function checkMessages(db: DatabaseSync, given: number, found: Findings): void {
  for (const row of db.prepare("SELECT position, topic, shard, attributes FROM message ORDER BY position").iterate()) {
    const message = `the message at position ${String(row["position"])}`;
    const shard = Number(row["shard"]);
    const problem = topicProblem(String(row["topic"]));
    if (Number(row["position"]) > given) found.add("T1", `${message} is beyond ${given}, the newest one given`, "position");
    if (problem !== undefined) found.add("T1", `${message} is of a topic whose name ${problem}`, "topic");
    if (shard < 0 || shard >= shards) found.add("T1", `${message} is in shard ${shard}, which does not exist`, "shard");
    if (!isMetadata(row["attributes"])) found.add("T1", `${message} has attributes that cannot be read`, "attributes");
  }
}

/** keeps T3 */
function checkParked(db: DatabaseSync, found: Findings): void {
  for (const row of db.prepare("SELECT id, subscriber, attempts, attributes FROM parked").iterate()) {
    const event = `parked event ${String(row["id"])}`;
    if (row["subscriber"] === "") found.add("T3", `${event} belongs to no consumer group`, "subscriber");
    if (Number(row["attempts"]) < 0) found.add("T3", `${event} was tried ${String(row["attempts"])} times`, "attempts");
    if (!isMetadata(row["attributes"])) found.add("T3", `${event} has attributes that cannot be read`, "parked attributes");
  }
}

function isMetadata(bytes: unknown): boolean {
  try {
    return Array.isArray(metadataOf(bytes as Uint8Array));
  } catch {
    return false;
  }
}
