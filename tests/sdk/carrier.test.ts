/** Mecha's side and the SDK's together: entities of our SDK share one stream, and end as streams of their own would. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { discover } from "@mecha/dialect-cloudstate";
import type { EntityReply, EntityStream } from "@mecha/state";
import type { Channel } from "@mecha/wire";
import { command, t, valueEntity } from "mecha-sdk";
import { Proxy } from "./proxy.ts";

const Counter = valueEntity({
  service: "demo.Counter",
  key: "id",
  state: () => ({ value: 0 }),
  commands: { add: command({ id: t.string }).replies({ value: t.int32 }) },
  handle: {
    async add(_, ctx) {
      await Promise.resolve();
      ctx.update({ value: ctx.state.value + 1 });
      return { value: ctx.state.value };
    },
  },
});

/** `channel`, and the paths opened on it. */
function counted(channel: Channel): { readonly channel: Channel; readonly paths: string[] } {
  const paths: string[] = [];
  const open: Channel["open"] = (path, options, events) => {
    paths.push(path);
    return channel.open(path, options, events);
  };
  return { paths, channel: { target: channel.target, open, [Symbol.asyncDispose]: () => Promise.resolve() } };
}

class Entity {
  readonly replies: EntityReply[] = [];
  readonly #answered: (() => void)[] = [];
  readonly closed = Promise.withResolvers<string | undefined>();
  stream!: EntityStream;

  command(id: string, number: number): Promise<void> {
    const payload = {
      typeUrl: "type.googleapis.com/demo.CounterAddRequest",
      value: Buffer.from(`\x0a${String.fromCharCode(id.length)}${id}`),
    };
    return new Promise((resolve) => {
      this.#answered.push(resolve);
      this.stream.command(number, { name: "Add", payload });
    });
  }
  reply(reply: EntityReply): void {
    this.replies.push(reply);
    this.#answered.shift()?.();
  }
  end(reason?: string): void {
    this.closed.resolve(reason);
  }
}

test("a hundred entities of one function are one call; each ends by itself, and the call with the last", async () => {
  await using proxy = await Proxy.to([Counter]);
  const { channel, paths } = counted(proxy.channel);
  const found = await discover(channel, { proxyVersion: "1" });
  const asked = paths.length;
  const entities = Array.from({ length: 100 }, (_, n) => {
    const entity = new Entity();
    const address = { namespace: "default", service: "demo.Counter", persistenceId: "demo.Counter", entityId: `e${n}` };
    entity.stream = found.function.openEntity(address, { kind: "value" }, {
      reply: (reply) => entity.reply(reply),
      failure: ({ description }) => entity.end(description),
      violation: (problem) => entity.end(problem),
      drain: () => undefined,
      closed: (reason) => entity.end(reason),
    }); // prettier-ignore
    return entity;
  });
  for (const number of [1, 2]) await Promise.all(entities.map((entity, n) => entity.command(`e${n}`, number)));
  assert.deepEqual(paths.slice(asked), ["/mecha.carrier.v1.Carrier/Carry"]);
  for (const { replies } of entities) {
    assert.deepEqual(replies.map(({ commandId, action }) => [commandId, action.do]), [[1, "reply"], [2, "reply"]]); // prettier-ignore
    assert.equal(replies[1]?.state?.do, "update");
  }
  for (const { stream } of entities) stream.halfClose();
  for (const { closed } of entities) assert.equal(await closed.promise, undefined);
  assert.deepEqual(paths.slice(asked), ["/mecha.carrier.v1.Carrier/Carry"]);
});
