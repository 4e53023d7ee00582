/** The objects a project file stands for: a StatefulService for each function, and the StatefulStore they all keep their state in. Pure. */
import { relative } from "node:path";
import { type FunctionContext, type KubeObject, statefulServiceOf, statefulStoreOf } from "@mecha/kinds";
import { type ResourceRef, resourceRef } from "@mecha/machinery";
import type { ProjectFunction } from "../../project/schema.ts";
import { quoted } from "../banner.ts";
import type { RunSettings } from "../settings.ts";

export const statefulServices: ResourceRef = resourceRef("cloudstate.io/v1alpha1", "StatefulService");
export const statefulStores: ResourceRef = resourceRef("cloudstate.io/v1alpha1", "StatefulStore");
/** Where they live: what kubectl looks at unless told otherwise. */
export const projectNamespace = "default";

type Described = Pick<RunSettings, "name" | "folder" | "functions" | "store">;

/** The store has the project's name. */
export function wantedStore({ name, folder, store }: Described): KubeObject {
  const { kind, directory } = store;
  const context = contextOf(name);
  if (kind === "memory") return statefulStoreOf({ kind }, context);
  return statefulStoreOf({ kind, directory: relative(folder, directory) || ".", durability: store.durability }, context);
}

/** One for each function, in the order of the file. */
export function wantedServices({ name, functions }: Described): KubeObject[] {
  return functions.map((fn) => serviceOf(fn, contextOf(name)));
}

function serviceOf({ name, directory, command, env, protocol, port }: ProjectFunction, context: FunctionContext): KubeObject {
  const line = typeof command === "string" ? command : command.map(quoted).join(" ");
  return statefulServiceOf({ name, directory, command: line, env, protocol, port }, context);
}

function contextOf(project: string): FunctionContext {
  return { project, namespace: projectNamespace, store: project };
}
