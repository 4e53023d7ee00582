/**
 * A running project in the Kubernetes API beside it: its functions are StatefulServices and its store is a StatefulStore, with a status that follows what runs;
 * StatefulServices that others make are run too (services.ts).
 */
import { type Clock, explain, type Log, type Random, Scope } from "@mecha/kit";
import type { KubeObject } from "@mecha/kinds";
import { ApiClient, type ApiTransport, eventRecorder, type EventRecorder, idOf, isReason, Manager, watchFor } from "@mecha/machinery";
import type { Fleet } from "../fleet.ts";
import type { RunSettings } from "../settings.ts";
import { nameOf } from "./directory.ts";
import { fieldManager, type Finding, isNews, stepFor } from "./plan.ts";
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
  /** A line for people. */
  readonly say: (text: string) => void;
  /** What is known of the functions of objects changed: look again. */
  readonly found: () => void;
}

export interface Published extends AsyncDisposable {
  /** A function's state changed: look again. */
  changed(): void;
  /** How the function of a StatefulService that is not of mecha.yaml is; `undefined`: nobody looked yet. */
  finding(object: KubeObject): Finding | undefined;
}

/** Returns at once; the objects follow. Failures are logged and tried again: the project runs without them. */
export function publishProject(settings: RunSettings, { transport, fleet, graceMs, say, found, ...ports }: PublishPorts): Published {
  const scope = new Scope();
  const client = new ApiClient(transport, { fieldManager });
  const manager = new Manager({ ...ports, client });
  const recorder = eventRecorder(client, fieldManager, () => ports.clock.wall(), ports.log);
  const findings = new Findings(say, found);
  const services = addServices({
    settings,
    manager,
    client,
    recorder,
    fleet,
    graceMs,
    found: (object, finding) => findings.add(object, finding),
  });
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
    finding: (object) => findings.of(object),
    [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
  };
}

/** Functions whose last finding is remembered; those of the past make room. One that was forgotten is said again. */
const findingsMax = 1_000;

/** The last finding about each function, said when it is news. */
class Findings {
  readonly #last = new Map<string, { readonly finding: Finding; readonly generation: number }>();
  readonly #say: (text: string) => void;
  readonly #found: () => void;

  constructor(say: (text: string) => void, found: () => void) {
    this.#say = say;
    this.#found = found;
  }

  add(object: KubeObject, finding: Finding): void {
    const key = object.metadata.uid ?? "";
    const before = this.#last.get(key);
    this.#last.delete(key); // to the end
    this.#last.set(key, { finding, generation: object.metadata.generation ?? 0 });
    if (this.#last.size > findingsMax) this.#last.delete(this.#last.keys().next().value ?? "");
    if (isNews(before?.finding, finding))
      this.#say(`${nameOf(object)} ${finding.ready ? "is ready" : wordsOf(finding.reason)}: ${finding.message}`);
    this.#found();
  }

  /** Of this generation of the object or a later one. */
  of({ metadata: { uid = "", generation = 0 } }: KubeObject): Finding | undefined {
    const last = this.#last.get(uid);
    return last && last.generation >= generation ? last.finding : undefined;
  }
}

/** `ImageNotRunnable` → `image not runnable` */
function wordsOf(reason: string): string {
  return reason.replace(/(?<=[a-z])[A-Z]/gu, (letter) => ` ${letter}`).toLowerCase();
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
