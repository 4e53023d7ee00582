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
  /** In the order they were recorded. */
  readonly #recorded = new Map<string, DeduplicationRecord>();
  readonly #underWay = new Map<string, Envelope>();

  /** Takes what the store knows instead of what was known before. */
  load(known: KnownKeys | undefined): void {
    this.#recorded.clear();
    for (const record of known?.records ?? []) this.#recorded.set(record.key, record);
  }

  /** A step with a key is durable. */
  remember(record: DeduplicationRecord): void {
    this.#recorded.delete(record.key); // an expired one: the new one is the newest
    this.#recorded.set(record.key, record);
    for (const oldest of this.#recorded.keys()) {
      if (this.#recorded.size <= knownKeysMax) break;
      this.#recorded.delete(oldest); // keeps K3
    }
  }

  /** What was answered to the key before. */
  find(envelope: Envelope, wallMs: number): Known {
    const record = this.#recorded.get(envelope.command.id ?? "");
    if (record === undefined) return undefined;
    if (record.expiresMs <= wallMs) {
      this.#recorded.delete(record.key);
      return undefined;
    }
    return compare(envelope, record);
  }

  /** Puts a command under way, or has it wait for the one that is (K1). */
  join(envelope: Envelope): "first" | "waits" | "other" {
    const key = envelope.command.id ?? "";
    const first = this.#underWay.get(key);
    if (first === undefined) {
      this.#underWay.set(key, envelope);
      envelope.leaving = () => this.#underWay.delete(key); // keeps K2
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
