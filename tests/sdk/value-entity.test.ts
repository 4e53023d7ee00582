/** What the model cases leave open about value entities. The cases themselves: model-cases.test.ts. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { ValueEntityStreamInSchema, ValueEntityStreamOutSchema } from "@mecha/wire/gen/cloudstate/value_entity";
import {
  PersistedSchema,
  type RequestActionSchema,
  RequestSchema,
  ResponseSchema,
} from "../../conformance/src/gen/cloudstate/tck/model/valueentity_pb.ts";
import { pack } from "../../conformance/src/model/any.ts";
import { model } from "./model.ts";
import { Proxy } from "./proxy.ts";

let proxy: Proxy;
before(async () => (proxy = await Proxy.to(model)));
after(() => proxy[Symbol.asyncDispose]());

type Action = MessageInitShape<typeof RequestActionSchema>;
const update = (value: string): Action => ({ action: { case: "update", value: { value } } });
const remove: Action = { action: { case: "delete", value: {} } };
const fail: Action = { action: { case: "fail", value: { message: "no" } } };

test("a failure leaves the state as it was, updated or deleted before it", async () => {
  const entity = proxy.open("/cloudstate.valueentity.ValueEntity/handle", ValueEntityStreamInSchema, ValueEntityStreamOutSchema);
  const serviceName = "cloudstate.tck.model.valueentity.ValueEntityTckModel";
  entity.send({
    message: { case: "init", value: { serviceName, entityId: "e", state: { value: pack(PersistedSchema, { value: "A" }) } } },
  });
  const failed = (commandId: bigint) => ({ case: "failure" as const, value: { commandId, description: "no" } });
  const replied = { case: "reply" as const, value: { payload: pack(ResponseSchema, { message: "A" }) } };
  const commands = [[update("B"), fail], [remove, fail], []];
  for (const [at, actions] of commands.entries()) {
    const id = BigInt(at + 1);
    const payload = pack(RequestSchema, { id: "e", actions });
    entity.send({ message: { case: "command", value: { entityId: "e", id, name: "Process", payload } } });
    const value = { commandId: id, clientAction: { action: actions.length > 0 ? failed(id) : replied } };
    assert.deepEqual(await entity.next(), create(ValueEntityStreamOutSchema, { message: { case: "reply", value } }));
  }
  await entity.passivate();
});
