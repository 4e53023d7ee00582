/** cloudstate.io StatefulStore: where StatefulServices keep their state. As the Cloudstate operator has it, and `embedded`, which is ours. */
import type { ObjectOfKind, OwnKind } from "./crd.ts";
import { conditions, defaulted, flag, integer, object, type ObjectOf, oneOf, optional, required, text } from "./schema.ts";

const secretName = (what: string): ReturnType<typeof text> => text(what, { minLength: 1, maxLength: 253 });
const key = (what: string): ReturnType<typeof text> => text(what, { minLength: 1, maxLength: 253 });
const host = text("Host name or address.", { minLength: 1, maxLength: 253 });

const postgres = object("A PostgreSQL server, or one to be had from Google Cloud SQL.", {
  host: optional(host),
  port: defaulted(integer("Its port.", { minimum: 1, maximum: 65_535 }), 5_432),
  credentials: optional(
    object("A Secret with user and password.", {
      secret: required(object("The Secret.", { name: required(secretName("Its name.")) })),
      usernameKey: defaulted(key("Key of the user's name."), "username"),
      passwordKey: defaulted(key("Key of the password."), "password"),
      databaseKey: optional(key("Key of the database's name.")),
    }),
  ),
  ssl: optional(
    object("TLS to the server.", {
      mode: optional(oneOf("How much is checked.", ["disable", "require", "verify-ca", "verify-full"])),
      secret: optional(object("The Secret with certificates.", { name: required(secretName("Its name.")) })),
      rootCert: optional(key("Key of the authorities' certificates.")),
      cert: optional(key("Key of the client's certificate.")),
      key: optional(key("Key of the client's private key.")),
    }),
  ),
  googleCloudSql: optional(
    object("A server made by Google Cloud SQL.", {
      name: optional(text("Its name.", { maxLength: 98 })),
      cores: defaulted(integer("Processors.", { minimum: 1 }), 1),
      memory: defaulted(text("Memory.", { maxLength: 32 }), "3840Mi"),
      storage: optional(
        object("Its disk.", {
          type: optional(oneOf("Kind of disk.", ["SSD", "HDD"])),
          capacity: optional(text("Size.", { maxLength: 32 })),
          automaticIncrease: optional(flag("Whether it grows.")),
          automaticIncreaseLimit: optional(text("How far it grows.", { maxLength: 32 })),
        }),
      ),
      highAvailability: optional(flag("Whether another stands by.")),
    }),
  ),
});

const kinds = ["inMemory", "embedded", "postgres", "spanner", "cassandra"] as const;

const spec = {
  inMemory: optional(flag("State is lost with the process. For tests.")),
  embedded: optional(
    object("SQLite beside the function, as `mecha up` has it. One node.", {
      directory: defaulted(text("Folder of the database, below the project's.", { maxLength: 4_096 }), ".mecha"),
      durability: defaulted(
        oneOf("full: fsync before every answer; relaxed: the last moments may be lost with the power.", ["full", "relaxed"]),
        "full",
      ),
    }),
  ),
  postgres: optional(postgres),
  spanner: optional(
    object("A Google Spanner database.", {
      project: required(text("The project.", { maxLength: 63 })),
      instance: required(text("The instance.", { maxLength: 64 })),
      database: optional(text("The database.", { maxLength: 30 })),
      secret: optional(object("Secret with the key of a service account.", { name: required(secretName("Its name.")) })),
    }),
  ),
  cassandra: optional(
    object("A Cassandra cluster.", {
      host: required(host),
      port: defaulted(integer("Its port.", { minimum: 1, maximum: 65_535 }), 9_042),
      credentials: optional(
        object("A Secret with user and password.", {
          secret: required(object("The Secret.", { name: required(secretName("Its name.")) })),
          usernameKey: defaulted(key("Key of the user's name."), "username"),
          passwordKey: defaulted(key("Key of the password."), "password"),
          keyspaceKey: optional(key("Key of the keyspace's name.")),
        }),
      ),
    }),
  ),
};

const status = {
  summary: optional(text("How it is, in a few words.")),
  observedGeneration: optional(integer("Generation the status is of.", { minimum: 0 })),
  conditions: optional(conditions),
};

/** The kind. */
export const statefulStore: OwnKind<ObjectOf<typeof spec>, ObjectOf<typeof status>> = {
  group: "cloudstate.io",
  version: "v1alpha1",
  kind: "StatefulStore",
  plural: "statefulstores",
  shortNames: [],
  description: "A place where StatefulServices keep their state.",
  spec: object("Which store it is: exactly one.", spec, {
    rules: [
      {
        rule: `[${kinds.map((kind) => `has(self.${kind})`).join(", ")}].filter(one, one).size() == 1`,
        message: `exactly one of ${kinds.slice(0, -1).join(", ")} and cassandra must be set`,
      },
    ],
  }),
  status: object("How it is.", status),
  columns: [{ name: "Status", type: "string", jsonPath: ".status.summary", description: "How it is." }],
};

/** An object of the kind. */
export type StatefulStore = ObjectOfKind<typeof statefulStore>;
