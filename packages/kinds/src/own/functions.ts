/**
 * What the `functions` of mecha.yaml are as objects of the API, and back: a StatefulService each, all on one StatefulStore. Pure: whoever applies the
 * objects and whoever runs them agree here.
 *
 * F1 functionOf(statefulServiceOf(f)) says what f said
 */
import { mapAt, objectsAt, textAt } from "../access.ts";
import type { KubeObject } from "../object.ts";
import type { StatefulService } from "./stateful-service.ts";
import type { StatefulStore } from "./stateful-store.ts";

/** Where to find a function's source on this machine; an object without them can run from its image only. */
export const annotations = { directory: "mecha.dev/directory", command: "mecha.dev/command", protocol: "mecha.dev/protocol" } as const;
/** Marks what came from a project file, so that what left the file can be taken away. */
export const projectLabel = "mecha.dev/project";
/** Name the Cloudstate operator gives the port a function answers on. */
const userPort = "user-port";

/** A function, as mecha.yaml says it. */
export interface FunctionEntry {
  readonly name: string;
  /** Relative to the project. */
  readonly directory: string;
  /** A shell line. */
  readonly command: string;
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly protocol: string;
  /** Absent: a free one. */
  readonly port: number | undefined;
}

/** Who has the functions, and where their state is. */
export interface FunctionContext {
  readonly project: string;
  readonly namespace: string;
  /** Name of the StatefulStore. */
  readonly store: string;
}

export function statefulServiceOf(entry: FunctionEntry, { project, namespace, store }: FunctionContext): StatefulService {
  const { name, directory, command, protocol, env, port } = entry;
  return {
    apiVersion: "cloudstate.io/v1alpha1",
    kind: "StatefulService",
    metadata: {
      name,
      namespace,
      labels: { [projectLabel]: project },
      annotations: { [annotations.directory]: directory, [annotations.command]: command, [annotations.protocol]: protocol },
    },
    spec: {
      containers: [
        {
          name,
          image: `${project}/${name}`,
          ...(env.length > 0 && { env: env.map((variable) => ({ ...variable })) }),
          ...(port !== undefined && { ports: [{ name: userPort, containerPort: port }] }),
        },
      ],
      replicas: 1,
      storeConfig: { statefulStore: { name: store }, database: "cloudstate" },
    },
  };
}

/** The function a StatefulService stands for; `undefined` when nothing says where its source is. */
export function functionOf(object: KubeObject): FunctionEntry | undefined {
  const notes = mapAt(object, "metadata.annotations");
  const command = notes[annotations.command];
  const [container] = objectsAt(object, "spec.containers");
  if (command === undefined || container === undefined) return undefined;
  const port = objectsAt(container, "ports").find((one, _, all) => textAt(one, "name") === userPort || all.length === 1);
  const number = port?.["containerPort"];
  return {
    name: object.metadata.name,
    directory: notes[annotations.directory] ?? ".",
    command,
    env: objectsAt(container, "env").map((variable) => ({ name: textAt(variable, "name"), value: textAt(variable, "value") })),
    protocol: notes[annotations.protocol] ?? "auto",
    port: typeof number === "number" ? number : undefined,
  };
}

/** The store of a project. */
export function statefulStoreOf(
  store: { readonly kind: "memory" } | { readonly kind: "sqlite"; readonly directory: string; readonly durability: "full" | "relaxed" },
  { project, namespace, store: name }: FunctionContext,
): StatefulStore {
  const spec = store.kind === "memory" ? { inMemory: true } : { embedded: { directory: store.directory, durability: store.durability } };
  return {
    apiVersion: "cloudstate.io/v1alpha1",
    kind: "StatefulStore",
    metadata: { name, namespace, labels: { [projectLabel]: project } },
    spec,
  };
}
