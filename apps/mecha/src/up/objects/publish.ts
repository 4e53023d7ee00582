/**
 * Shows a running project in the Kubernetes API beside it: its functions as StatefulServices and its store as a StatefulStore, with a status that follows
 * what runs. Decisions are plan.ts's.
 */
import { type Clock, explain, type Log, type Random, Scope } from "@mecha/kit";
import type { KubeObject } from "@mecha/kinds";
import { ApiClient, type ApiTransport, type Controller, idOf, isReason, Manager, type ResourceRef, watchFor } from "@mecha/machinery";
import type { FunctionJson } from "../../admin/model.ts";
import type { RunSettings } from "../settings.ts";
import {
  fieldManager,
  type Finding,
  foreignServiceFinding,
  foreignStoreFinding,
  functionFinding,
  statusFor,
  stepFor,
  storeFinding,
} from "./plan.ts";
import { statefulServices, statefulStores, wantedServices, wantedStore } from "./wanted.ts";

export interface PublishPorts {
  readonly transport: ApiTransport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** What runs now. Asked until it is disposed of. */
  readonly functions: () => readonly FunctionJson[];
}

export interface Published extends AsyncDisposable {
  /** A function's state changed: look again. */
  changed(): void;
}

/** Returns at once; the objects follow. Failures are logged and tried again: the project runs without them. */
export function publishProject(settings: RunSettings, { transport, functions, ...ports }: PublishPorts): Published {
  const scope = new Scope();
  const client = new ApiClient(transport, { fieldManager });
  const manager = new Manager({ ...ports, client });
  const findingOf = (object: KubeObject): Finding | undefined => {
    const fn = functions().find(({ name }) => name === object.metadata.name);
    return fn && functionFinding(fn);
  };
  const services = wantedServices(settings);
  const serviceController = addController(manager, client, {
    resource: statefulServices,
    wanted: services,
    findingOf,
    foreign: foreignServiceFinding,
  });
  addController(manager, client, {
    resource: statefulStores,
    wanted: [wantedStore(settings)],
    findingOf: () => storeFinding,
    foreign: foreignStoreFinding,
  });
  const running = manager.run(scope.signal).catch((error: unknown) => {
    ports.log.error("objects of the project are no longer kept up to date", { cause: explain(error) });
  });
  scope.defer(() => running); // ends with the scope's signal
  return {
    changed: () => {
      for (const service of services) serviceController.enqueue(idOf(service));
    },
    [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose](),
  };
}

/** One kind of object, and what the project says of it. */
interface PublishedKind {
  readonly resource: ResourceRef;
  readonly wanted: readonly KubeObject[];
  /** Of an object that is wanted; `undefined`: nothing is known yet. */
  readonly findingOf: (object: KubeObject) => Finding | undefined;
  /** Of any other. */
  readonly foreign: Finding;
}

function addController(manager: Manager, client: ApiClient, { resource, wanted, findingOf, foreign }: PublishedKind): Controller {
  const cache = manager.informer(resource);
  const keyOf = ({ namespace = "", name }: { readonly namespace?: string; readonly name: string }): string => `${namespace}/${name}`;
  const wantedByKey = new Map(wanted.map((object) => [keyOf(object.metadata), object]));
  const controller = manager.add({
    name: `${fieldManager}-${resource.plural}`,
    watches: [watchFor(resource)],
    async reconcile(id, { signal, nowMs }) {
      const want = wantedByKey.get(keyOf(id));
      const cached = cache.get(id);
      try {
        const step = stepFor(want, cached);
        if (step === "delete" && cached) {
          await remove(client, resource, cached, signal);
          return undefined;
        }
        const have = step === "apply" && want ? await client.apply(resource, want, { signal }) : cached;
        const finding = have && (want ? findingOf(have) : foreign);
        const status = have && finding && statusFor(have, finding, nowMs);
        if (status) await client.apply(resource, { ...bare(have), status }, { subresource: "status", signal });
      } catch (error) {
        if (!isReason(error, "NotFound")) throw error; // deleted meanwhile: that news makes it look again
      }
      return undefined;
    },
  });
  for (const object of wanted) controller.enqueue(idOf(object)); // those that are not there yet
  return controller;
}

async function remove(client: ApiClient, resource: ResourceRef, object: KubeObject, signal: AbortSignal): Promise<void> {
  const { uid } = object.metadata;
  await client.delete(resource, idOf(object), uid === undefined ? {} : { preconditions: { uid } }, signal);
}

/** Who the object is, without what it holds: an apply owns what it names. */
function bare({ apiVersion, kind, metadata: { name, namespace } }: KubeObject): KubeObject {
  return { apiVersion, kind, metadata: { name, ...(namespace !== undefined && { namespace }) } };
}
