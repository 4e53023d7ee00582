/**
 * The keys one entity knows: of commands under way, and of those answered before (E9). Decides only.
 *
 * Invariants
 * K1 of the commands with one key at most one is under way; the others wait for its outcome and get the same
 * K2 a key under way is let go before its outcome is told: who calls again from its answer finds the record, or starts anew
 * K3 at most `knownKeysMax` answers are kept, the newest; what is not known here the store knows (S8)
 */
import { Fault } from "@mecha/kit";
import { HttpFault } from "@mecha/wire";
import type { Envelope } from "../envelope.ts";
import { type DeduplicationRecord, type KnownKeys, knownKeysMax } from "../rows.ts";
import { sameHash } from "./hash.ts";

/** What is known of a command's key. `other`: it belongs to a command of another name or payload. */
export type Known = DeduplicationRecord | "other" | undefined;

/** See the file's header. */
export class Keys {
  // Both made when first needed: two empty maps are 500 bytes, and most entities never see a key.
  /** In the order they were recorded. */
  #recorded: Map<string, DeduplicationRecord> | undefined = undefined;
  #underWay: Map<string, Envelope> | undefined = undefined;

  /** Takes what the store knows instead of what was known before. */
  load(known: KnownKeys | undefined): void {
    const records = known?.records ?? [];
    this.#recorded = records.length === 0 ? undefined : new Map(records.map((record) => [record.key, record]));
  }

  /** A step with a key is durable. */
  remember(record: DeduplicationRecord): void {
    const recorded = (this.#recorded ??= new Map<string, DeduplicationRecord>());
    recorded.delete(record.key); // an expired one: the new one is the newest
    recorded.set(record.key, record);
    for (const oldest of recorded.keys()) {
      if (recorded.size <= knownKeysMax) break;
      recorded.delete(oldest); // keeps K3
    }
  }

  /** What was answered to the key before. */
  find(envelope: Envelope, wallMs: number): Known {
    const recorded = this.#recorded;
    const record = recorded?.get(envelope.command.id ?? "");
    if (recorded === undefined || record === undefined) return undefined;
    if (record.expiresMs <= wallMs) {
      recorded.delete(record.key);
      return undefined;
    }
    return compare(envelope, record);
  }

  /** Puts a command under way, or has it wait for the one that is (K1). */
  join(envelope: Envelope): "first" | "waits" | "other" {
    const key = envelope.command.id ?? "";
    const underWay = (this.#underWay ??= new Map<string, Envelope>());
    const first = underWay.get(key);
    if (first === undefined) {
      underWay.set(key, envelope);
      envelope.leaving = () => underWay.delete(key); // keeps K2
      return "first";
    }
    if (!sameHash(first.hash, envelope.hash)) return "other";
    first.followedBy(envelope);
    return "waits";
  }
}

/** Whether `record` answers this very command. */
export function compare(envelope: Envelope, record: DeduplicationRecord): Known {
  return sameHash(envelope.hash, record.payloadHash) ? record : "other";
}

/** HTTP status of a key used for another command (draft-ietf-httpapi-idempotency-key-header §2.7). */
const unprocessable = 422;

/** What the second command under one key gets. */
export function keyOfAnother(entity: string, { command }: Envelope): Fault {
  const text = `${entity}: the idempotency key ${JSON.stringify(command.id)} was used for another command than this ${command.name}`;
  return new HttpFault(unprocessable, new Fault("invalid", `${text}; give each command a key of its own`));
}
