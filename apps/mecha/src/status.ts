/** What runs, as the admin API shows it: the sidecar's view of functions joined with their processes. Pure. */
import { annotatedBindings, type DescriptorSet, messageTypeName } from "@mecha/wire";
import type { Component, ComponentMethod } from "@mecha/state";
import type { FunctionStatus } from "@mecha/sidecar";
import type { FunctionState } from "@mecha/runtime-process";
import type { FunctionJson, MethodJson, ServiceJson } from "./admin/model.ts";

/** A function's process; absent for one somebody else started. */
export interface ProcessView {
  readonly state: FunctionState;
  readonly restarts: number;
}

/** One function, whole. */
export function functionJson({ name, state, address, discovered }: FunctionStatus, process_: ProcessView | undefined): FunctionJson {
  const problem = problemOf(state, process_?.state);
  const about = discovered && aboutText(discovered.info);
  return {
    name,
    state: stateOf(state, process_?.state),
    ...(problem !== undefined && { problem }),
    ...(process_?.state.is === "running" && { pid: process_.state.pid }),
    host: address?.host ?? "127.0.0.1",
    ...(address && { port: address.port }),
    restarts: process_?.restarts ?? 0,
    ...(about && { about }),
    services: discovered?.components.map((component) => serviceJson(component, discovered.descriptors)) ?? [],
  };
}

function stateOf(link: FunctionStatus["state"], process_: FunctionState | undefined): FunctionJson["state"] {
  if (process_?.is === "waiting") return "waiting";
  if (process_?.is === "stopped" || process_?.is === "stopping") return "stopped";
  return link.is === "ready" ? "ready" : link.is === "refused" ? "refused" : "starting";
}

function problemOf(link: FunctionStatus["state"], process_: FunctionState | undefined): string | undefined {
  if (process_?.is === "waiting") return `ended (${process_.reason}); starts again after ${(process_.delayMs / 1_000).toFixed(1)} s`;
  return link.is === "refused" || link.is === "discovering" ? link.problem : undefined;
}

function aboutText(info: NonNullable<FunctionStatus["discovered"]>["info"]): string {
  const library = [info.library, info.libraryVersion].filter(Boolean).join(" ");
  return [info.serviceName, library, info.runtime, `protocol ${info.protocol}`].filter(Boolean).join(" · ");
}

function serviceJson(component: Component, descriptors: DescriptorSet): ServiceJson {
  const { service, kind, persistenceId, methods } = component;
  return { name: service, kind, persistenceId, methods: [...methods.values()].map((method) => methodJson(method, service, descriptors)) };
}

function methodJson(method: ComponentMethod, service: string, descriptors: DescriptorSet): MethodJson {
  return {
    name: method.name,
    input: messageTypeName(method.inputTypeUrl) ?? method.inputTypeUrl,
    output: messageTypeName(method.outputTypeUrl) ?? method.outputTypeUrl,
    streamedIn: method.streamedIn,
    streamedOut: method.streamedOut,
    http: routesOf(method.name, service, descriptors),
  };
}

/** Routes of the method's annotation, or else the path every method has. */
function routesOf(name: string, service: string, descriptors: DescriptorSet): string[] {
  const method = descriptors.service(service)?.methods.find((one) => one.name === name);
  const bindings = method ? annotatedBindings(method) : [];
  return bindings.length > 0 ? bindings.map(({ httpMethod, template }) => `${httpMethod} ${template.text}`) : [`POST /${service}/${name}`];
}
