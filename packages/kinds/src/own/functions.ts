/**
 * What the `functions` of mecha.yaml are as objects of the API, and back: a StatefulService each, all on one StatefulStore. Pure: whoever applies the
 * objects and whoever runs them agree here.
 *
 * F1 programOf(statefulServiceOf(f)) says what f said
 */
import { mapAt, objectsAt, textAt, textsAt } from "../access.ts";
import type { JsonObject, KubeObject } from "../object.ts";
import type { StatefulService } from "./stateful-service.ts";
import type { StatefulStore } from "./stateful-store.ts";

/** How a function is started from its source on this machine. They win over what the container says, which is meant for its image. */
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

/** What a StatefulService has run, where there are processes but no images. */
export interface FunctionProgram {
  /** A shell line, or program and arguments as they are in the container: `$(NAME)` not yet filled in. */
  readonly command: string | readonly string[];
  /** Relative to the project. */
  readonly directory: string;
  readonly protocol: string;
  /** The one it answers on. Absent: a free one. */
  readonly port: number | undefined;
  /** With `env` and `envFrom` as in a pod. */
  readonly container: JsonObject;
}

/** Why a StatefulService cannot be run. */
export interface ProgramProblem {
  /** One CamelCase word for programs. */
  readonly reason: "ImageNotRunnable" | "SeveralContainers";
  readonly message: string;
}

export type ProgramReading = { readonly program: FunctionProgram } | { readonly problem: ProgramProblem };

/** The program a StatefulService stands for; what stands in its way when there is none. */
export function programOf(object: KubeObject): ProgramReading {
  const notes = mapAt(object, "metadata.annotations");
  const containers = objectsAt(object, "spec.containers");
  const [container = {}] = containers;
  if (containers.length > 1) return { problem: severalContainers(containers) };
  const command = notes[annotations.command] ?? wordsOf(container);
  if (command === undefined) return { problem: imageNotRunnable(container) };
  const ports = objectsAt(container, "ports");
  const port = ports.find((one) => textAt(one, "name") === userPort) ?? (ports.length === 1 ? ports[0] : undefined);
  const number = port?.["containerPort"];
  return {
    program: {
      command,
      directory: notes[annotations.directory] ?? (textAt(container, "workingDir") || "."),
      protocol: notes[annotations.protocol] ?? "auto",
      port: typeof number === "number" ? number : undefined,
      container,
    },
  };
}

/** `args` alone are for the image's own program, which is not there. */
function wordsOf(container: JsonObject): readonly string[] | undefined {
  const command = textsAt(container, "command");
  return command.length === 0 ? undefined : [...command, ...textsAt(container, "args")];
}

function imageNotRunnable(container: JsonObject): ProgramProblem {
  const image = textAt(container, "image");
  return {
    reason: "ImageNotRunnable",
    message: `${image === "" ? "there is no command" : `the image ${image} cannot be run`}: functions are processes here; say how to start it in the annotations ${annotations.command} and ${annotations.directory}, or in the container's command and workingDir`,
  };
}

function severalContainers(containers: readonly JsonObject[]): ProgramProblem {
  const names = containers.map((one) => textAt(one, "name")).join(", ");
  return {
    reason: "SeveralContainers",
    message: `there are ${String(containers.length)} containers (${names}), and a function is one process here: leave the function's own, and make others StatefulServices or start them yourself`,
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
