/** Events: what a person sees under `kubectl describe`. The same news again raises a count instead of making another object. */
import { explain, type Log } from "@mecha/kit";
import type { KubeObject } from "@mecha/kinds";
import { type ApiClient, resourceRef } from "../api-client.ts";

export interface EventRecorder {
  /**
   * Notes what happened to `object`. Never rejects: an event that cannot be written is logged, the work goes on.
   * @param reason One CamelCase word. @param message For people.
   */
  record(object: KubeObject, type: "Normal" | "Warning", reason: string, message: string): Promise<void>;
}

const events = resourceRef("v1", "Event");
/** Of news that are counted instead of written again; the oldest is forgotten. */
const rememberedMax = 1_000;

/** @param component Who speaks, as `describe` shows it. */
export function eventRecorder(client: ApiClient, component: string, wallMs: () => number, log: Log): EventRecorder {
  let lastMoment = 0n;
  /** A name only has to differ: the moment in nanoseconds, in hexadecimal, as people know it from client-go; no two of this process are the same. */
  const moment = (): string => {
    const nowNs = BigInt(Math.floor(wallMs())) * 1_000_000n;
    lastMoment = nowNs > lastMoment ? nowNs : lastMoment + 1n;
    return lastMoment.toString(16);
  };
  const remembered = new Map<string, { readonly namespace: string; readonly name: string; count: number }>();
  return {
    async record(object, type, reason, message) {
      const { namespace = "default", name, uid } = object.metadata;
      const now = new Date(wallMs()).toISOString().replace(/\.\d{3}Z$/, "Z");
      const key = JSON.stringify([uid, type, reason, message]);
      try {
        const before = remembered.get(key);
        if (before) {
          before.count++;
          await client.patch(events, before, "merge", { count: before.count, lastTimestamp: now });
          return;
        }
        const created = await client.create(events, {
          apiVersion: "v1",
          kind: "Event",
          metadata: { name: `${name}.${moment()}`, namespace },
          involvedObject: { apiVersion: object.apiVersion, kind: object.kind, namespace, name, ...(uid !== undefined && { uid }) },
          type,
          reason,
          message,
          source: { component },
          firstTimestamp: now,
          lastTimestamp: now,
          count: 1,
        });
        remembered.set(key, { namespace, name: created.metadata.name, count: 1 });
        if (remembered.size > rememberedMax) for (const oldest of remembered.keys().take(1)) remembered.delete(oldest);
      } catch (error) {
        remembered.delete(key); // it may have been deleted: the next time makes a new one
        log.warn("event not recorded", { object: `${object.kind}/${name}`, reason, cause: explain(error) });
      }
    },
  };
}
