/** cloudstate.io StatefulService: a function whose state Mecha keeps. The shape is that of the Cloudstate operator (facts/cloudstate §2.6). */
import type { ObjectOfKind, OwnKind } from "./crd.ts";
import { conditions, defaulted, integer, list, listBy, object, type ObjectOf, optional, required, text } from "./schema.ts";

const env = listBy(
  "name",
  "Environment variables.",
  object(
    "An environment variable: a value, or valueFrom as in a pod.",
    { name: required(text("Name of the variable.", { minLength: 1 })), value: optional(text("Its value.", { maxLength: 131_072 })) },
    { open: true },
  ),
  { maxItems: 1_000 },
);

const port = object(
  "A port the function listens on.",
  {
    name: optional(text("Its name; `user-port` is the one the function answers on.", { maxLength: 15 })),
    containerPort: required(integer("Port number.", { minimum: 1, maximum: 65_535 })),
  },
  { open: true },
);

const container = object(
  "A container as in a pod. `mecha up` runs it as a process when mecha.yaml names its image's folder and command.",
  {
    name: required(text("Name, unique in the service.", { minLength: 1, maxLength: 63 })),
    image: optional(text("Image the container is made of.")),
    command: optional(
      list("Program and first arguments in place of the image's.", text("An argument.", { maxLength: 131_072 }), { maxItems: 1_000 }),
    ),
    args: optional(list("Arguments in place of the image's.", text("An argument.", { maxLength: 131_072 }), { maxItems: 1_000 })),
    workingDir: optional(text("Folder the program starts in.", { maxLength: 4_096 })),
    env: optional(env),
    ports: optional(list("Ports the function listens on.", port, { maxItems: 100 })),
  },
  { open: true },
);

const storeConfig = object("Where the function's state is kept.", {
  statefulStore: required(
    object("A StatefulStore of the same namespace.", { name: required(text("Its name.", { minLength: 1, maxLength: 253 })) }),
  ),
  database: defaulted(text("Database, keyspace or schema in that store.", { maxLength: 63 }), "cloudstate"),
  secret: optional(
    object("Secret with credentials for this service only.", { name: required(text("Its name.", { minLength: 1, maxLength: 253 })) }),
  ),
});

const spec = {
  containers: required(listBy("name", "The function, and what runs beside it.", container, { minItems: 1, maxItems: 32 })),
  replicas: defaulted(integer("How many of it run.", { minimum: 0 }), 1),
  storeConfig: optional(storeConfig),
};

const status = {
  summary: optional(text("How it is, in a few words.")),
  replicas: optional(integer("How many run.", { minimum: 0 })),
  selector: optional(text("Labels of its pods, for autoscalers.", { maxLength: 4_096 })),
  observedGeneration: optional(integer("Generation the status is of.", { minimum: 0 })),
  conditions: optional(conditions),
};

/** The kind. */
export const statefulService: OwnKind<ObjectOf<typeof spec>, ObjectOf<typeof status>> = {
  group: "cloudstate.io",
  version: "v1alpha1",
  kind: "StatefulService",
  plural: "statefulservices",
  shortNames: ["ss"],
  description: "A function whose entities Mecha keeps the state of: it is started, found out about, called and restarted.",
  spec: object("What runs, how often, and where its state is kept.", spec),
  status: object("How it is.", status),
  scale: { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.replicas", labelSelectorPath: ".status.selector" },
  columns: [
    { name: "Replicas", type: "integer", jsonPath: ".status.replicas", description: "How many run." },
    { name: "Status", type: "string", jsonPath: ".status.summary", description: "How it is." },
    { name: "Store", type: "string", jsonPath: ".spec.storeConfig.statefulStore.name", description: "Where its state is kept." },
    { name: "Image", type: "string", jsonPath: ".spec.containers[0].image", priority: 1, description: "Image of the function." },
  ],
};

/** An object of the kind. */
export type StatefulService = ObjectOfKind<typeof statefulService>;
