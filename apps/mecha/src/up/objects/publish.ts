/**
 * A running project in the Kubernetes API beside it: its functions are StatefulServices and its store is a StatefulStore, with a status that follows what runs;
 * StatefulServices that others make are run too (services.ts).
 */
import { type Clock, explain, type Log, type Random, Scope } from "@mecha/kit";
import { ApiClient, type ApiTransport, eventRecorder, type EventRecorder, idOf, isReason, Manager, watchFor } from "@mecha/machinery";
import type { Fleet } from "../fleet.ts";
import type { RunSettings } from "../settings.ts";
import { fieldManager, stepFor } from "./plan.ts";
import { addServices } from "./services.ts";
import { storeFinding } from "./stores.ts";
import { statefulServices, statefulStores, wantedStore } from "./wanted.ts";
import { removeObject, writeFinding } from "./write.ts";

export interface PublishPorts {
  readonly transport: ApiTransport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly fleet: Fleet;
  /** How long calls under way may take when a function is removed, ms. */
  readonly graceMs: number;
}

export interface Published extends AsyncDisposable {
  /** A function's state changed: look again. */
  changed(): void;
}

/** Returns at once; the objects follow. Failures are logged and tried again: the project runs without them. */
export function publishProject(settings: RunSettings, { transport, fleet, graceMs, ...ports }: PublishPorts): Published {
  const scope = new Scope();
  const client = new ApiClient(transport, { fieldManager });
  const manager = new Manager({ ...ports, client });
  const recorder = eventRecorder(client, fieldManager, () => ports.clock.wall(), ports.log);
  const services = addServices({ settings, manager, client, recorder, fleet, graceMs });
  addStores(settings, manager, client, recorder);
  const running = manager.run(scope.signal).catch((error: unknown) => {
    ports.log.error("objects of the project are no longer kept up to date", { cause: explain(error) });
  });
  scope.defer(() => running); // ends with the scope's signal
  const cache = manager.informer(statefulServices);
  return {
    changed: () => {
      for (const service of cache.list()) services.enqueue(idOf(service));
    },
    [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
  };
}

/** StatefulStores: the project's is as mecha.yaml says; others say whether Mecha's one store keeps what they promise. */
function addStores(settings: RunSettings, manager: Manager, client: ApiClient, recorder: EventRecorder): void {
  const cache = manager.informer(statefulStores);
  const own = wantedStore(settings);
  const controller = manager.add({
    name: "mecha-up-statefulstores",
    watches: [watchFor(statefulStores)],
    async reconcile(id, { signal, nowMs }) {
      const wanted = id.name === own.metadata.name && id.namespace === own.metadata.namespace ? own : undefined;
      const cached = cache.get(id);
      const step = stepFor(wanted, cached);
      try {
        if (step === "delete" && cached) await removeObject(client, statefulStores, cached, signal);
        if (step !== "apply" && step !== "run") return undefined;
        const object = step === "apply" && wanted ? await client.apply(statefulStores, wanted, { signal }) : cached;
        if (object) await writeFinding({ client, recorder }, statefulStores, object, storeFinding(object, settings), { signal, nowMs });
      } catch (error) {
        if (!isReason(error, "NotFound")) throw error; // deleted meanwhile: that news makes it look again
      }
      return undefined;
    },
  });
  controller.enqueue(idOf(own));
}
