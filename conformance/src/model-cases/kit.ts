/** What a model case works with: a user function with the TCK's model services, to which the case plays the proxy. */
import assert from "node:assert/strict";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Clock } from "@mecha/kit";
import { type Channel, unary } from "@mecha/wire";
import { type Entity, type EntitySpec, EntitySpecSchema, ProxyInfoSchema } from "@mecha/wire/gen/cloudstate/entity";
import type { DescMessage } from "@bufbuild/protobuf";
import { ClientStream, type Method } from "../kit/client-stream.ts";
import { awaitMs } from "../kit/inbox.ts";
import type { CaseName } from "../kit/run.ts";

/** One case against a user function. */
export interface ModelCase extends CaseName {
  readonly run: (kit: ModelKit) => Promise<void>;
}

const discoverPath = "/cloudstate.EntityDiscovery/discover";

/** Asks the function what it serves, as a proxy of protocol 0.2. @throws Fault when it does not answer. */
export async function discoverModel(channel: Channel): Promise<EntitySpec> {
  const info = create(ProxyInfoSchema, {
    protocolMajorVersion: 0,
    protocolMinorVersion: 2,
    proxyName: "mecha tck",
    supportedEntityTypes: [
      "cloudstate.action.ActionProtocol",
      "cloudstate.crdt.Crdt",
      "cloudstate.eventsourced.EventSourced",
      "cloudstate.valueentity.ValueEntity",
    ],
  });
  const { message } = await unary(channel, discoverPath, toBinary(ProxyInfoSchema, info), { timeoutMs: awaitMs });
  return fromBinary(EntitySpecSchema, message);
}

export class ModelKit {
  readonly #channel: Channel;
  readonly #clock: Clock;

  constructor(channel: Channel, clock: Clock) {
    this.#channel = channel;
    this.#clock = clock;
  }

  /** What the function says now. */
  discover(): Promise<EntitySpec> {
    return discoverModel(this.#channel);
  }

  /** Opens a call. */
  open<In extends DescMessage, Out extends DescMessage>(method: Method<In, Out>): ClientStream<In, Out> {
    return new ClientStream(this.#channel, method, this.#clock);
  }
}

/** The entity of that service. */
export function entityOf(spec: EntitySpec, service: string): Entity {
  const entity = spec.entities.find(({ serviceName }) => serviceName === service);
  assert.ok(entity, `discovery lists ${service}; it has ${spec.entities.map(({ serviceName }) => serviceName).join(", ") || "nothing"}`);
  return entity;
}

/** The service is of that type and, unless `persistenceId` is undefined, kept under that name. */
export function expectEntity(spec: EntitySpec, service: string, entityType: string, persistenceId?: string): void {
  const entity = entityOf(spec, service);
  assert.equal(entity.entityType, entityType, `entity type of ${service}`);
  if (persistenceId !== undefined) assert.equal(entity.persistenceId, persistenceId, `persistence id of ${service}`);
}

/** The service asks to be passivated after 100 ms, as all that are called Configured. */
export function expectConfigured(spec: EntitySpec, service: string): void {
  const strategy = entityOf(spec, service).passivationStrategy?.strategy;
  assert.equal(strategy?.case, "timeout", `${service} has a passivation timeout`);
  assert.equal(strategy?.value.timeout, 100n, `passivation timeout of ${service}`);
}

/** Cases from a table of names: `prefix` and a number make the id. */
export function numbered(prefix: string, group: string, cases: readonly (readonly [name: string, run: ModelCase["run"]])[]): ModelCase[] {
  return cases.map(([name, run], at) => ({ id: `${prefix}${at + 1}`, group, name, run }));
}
