/**
 * The audit log, when one is asked for: a line of JSON a request (audit.k8s.io/v1 Event, level Metadata: who, what, when and how it ended; no bodies).
 * A line is written when the answer is; a disk that cannot keep up is reported once and lines are then dropped, as a log must not stop the server.
 */
import { createWriteStream, type WriteStream } from "node:fs";
import { explain, type Log } from "@mecha/kit";
import type { Caller } from "@mecha/machinery";

export interface AuditEntry {
  readonly id: string;
  readonly method: string;
  /** Path and query. */
  readonly uri: string;
  readonly caller: Caller | undefined;
  /** Who it counts as, where that is another. */
  readonly impersonated: Caller | undefined;
  readonly sourceIp: string;
  readonly userAgent: string;
  readonly status: number;
  readonly receivedMs: number;
  readonly answeredMs: number;
}

export interface Audit extends AsyncDisposable {
  note(entry: AuditEntry): void;
}

/** Bytes waiting for the disk, past which lines are dropped. */
const backlogMaxBytes = 16 * 1024 * 1024;

/** @param path Appended to; made with mode 0600. */
export function openAudit(path: string, log: Log): Audit {
  const file: WriteStream = createWriteStream(path, { flags: "a", mode: 0o600 });
  let dropped = 0;
  file.on("error", (error) => log.error("audit log", { path, cause: explain(error) }));
  return {
    note(entry) {
      if (file.destroyed || file.writableLength > backlogMaxBytes) {
        if (dropped++ === 0) log.error("audit lines are dropped: the disk does not keep up or failed", { path });
        return;
      }
      dropped = 0;
      file.write(`${JSON.stringify(eventOf(entry))}\n`);
    },
    async [Symbol.asyncDispose]() {
      if (!file.destroyed) await new Promise<void>((resolve) => file.end(() => resolve()));
    },
  };
}

const verbs: Readonly<Record<string, string>> = { GET: "get", POST: "create", PUT: "update", PATCH: "patch", DELETE: "delete" };
const time = (ms: number): string => new Date(ms).toISOString().replace(/(\.\d{3})Z$/u, "$1000Z");
const user = ({ name, groups, uid, extra }: Caller): object => ({
  username: name,
  groups,
  ...(uid !== undefined && { uid }),
  ...(extra && { extra }),
});

function eventOf(entry: AuditEntry): object {
  const { id, method, uri, caller, impersonated, sourceIp, userAgent, status, receivedMs, answeredMs } = entry;
  return {
    kind: "Event",
    apiVersion: "audit.k8s.io/v1",
    level: "Metadata",
    auditID: id,
    stage: "ResponseComplete",
    requestURI: uri,
    verb: /[?&]watch=(?!0|false)/u.test(uri) ? "watch" : (verbs[method] ?? method.toLowerCase()),
    user: caller ? user(caller) : {},
    ...(impersonated && { impersonatedUser: user(impersonated) }),
    sourceIPs: [sourceIp],
    userAgent,
    responseStatus: { metadata: {}, code: status },
    requestReceivedTimestamp: time(receivedMs),
    stageTimestamp: time(answeredMs),
  };
}
