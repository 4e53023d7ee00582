/** P2–P10: actions through the proxy. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { protocol02 } from "@mecha/dialect-cloudstate";
import { ActionCommandSchema, ActionResponseSchema } from "@mecha/wire/gen/cloudstate/action";
import {
  OtherRequestSchema,
  type ProcessGroupSchema,
  type ProcessStepSchema,
  RequestSchema,
  ResponseSchema,
} from "../gen/cloudstate/tck/model/action_pb.ts";
import type { ClientStream } from "../kit/client-stream.ts";
import type { Connection } from "../kit/connection.ts";
import { expectSame } from "../kit/connection.ts";
import type { Case, CaseKit } from "../kit/context.ts";
import { pack } from "../model/any.ts";

const service = "cloudstate.tck.model.action.ActionTckModel";
const second = "cloudstate.tck.model.action.ActionTwo";
const types = { input: RequestSchema, output: ResponseSchema };
const processUnary = { path: `/${service}/ProcessUnary`, ...types };
const processStreamedIn = { path: `/${service}/ProcessStreamedIn`, ...types };
const processStreamedOut = { path: `/${service}/ProcessStreamedOut`, ...types };
const processStreamed = { path: `/${service}/ProcessStreamed`, ...types };

const { unary: unaryPath, streamedIn: streamedInPath, streamedOut: streamedOutPath, streamed: streamedPath } = protocol02.actionPaths;

type Step = MessageInitShape<typeof ProcessStepSchema>;
type Group = MessageInitShape<typeof ProcessGroupSchema>;
type Request = MessageInitShape<typeof RequestSchema>;
type Response = MessageInitShape<typeof ActionResponseSchema>;

const reply = (message: string): Step => ({ step: { case: "reply", value: { message } } });
const forward = (id: string): Step => ({ step: { case: "forward", value: { id } } });
const fail = (message: string): Step => ({ step: { case: "fail", value: { message } } });
const effect = (id: string, synchronous = false): Step => ({ step: { case: "effect", value: { id, synchronous } } });
const group = (...steps: Step[]): Group => ({ steps });
const request = (...groups: Group[]): Request => ({ groups });

const replied = (message: string) => ({ response: { case: "reply" as const, value: { payload: pack(ResponseSchema, { message }) } } });
const failed = (description: string): Response => ({ response: { case: "failure", value: { description } } });
const toSecond = (id: string) => ({ serviceName: second, commandName: "Call", payload: pack(OtherRequestSchema, { id }) });
const forwarded = (id: string): Response => ({ response: { case: "forward", value: toSecond(id) } });
const effectOn = (id: string, synchronous = false) => ({ ...toSecond(id), synchronous });

/** The proxy's next message is this command, its metadata left aside (which headers travel is the transport's affair). */
async function expectCommand(connection: Connection, expected: MessageInitShape<typeof ActionCommandSchema>): Promise<void> {
  const command = await connection.proxyMessage(ActionCommandSchema);
  delete command.metadata;
  expectSame(ActionCommandSchema, command, expected);
}

type Command = MessageInitShape<typeof ActionCommandSchema>;

/** One unary exchange with the function. */
async function expectExchange(kit: CaseKit, sent: Command, answered: Response): Promise<void> {
  const unary = await kit.connection(unaryPath);
  await expectCommand(unary, sent);
  await unary.expectProxyComplete();
  await unary.expectFunction(ActionResponseSchema, answered);
  await unary.expectFunctionComplete();
}

const expectUnary = (kit: CaseKit, sent: Request, answered: Response): Promise<void> =>
  expectExchange(kit, { serviceName: service, name: "ProcessUnary", payload: pack(RequestSchema, sent) }, answered);

/** The second action is called with this id. */
const expectSecond = (kit: CaseKit, id: string): Promise<void> =>
  expectExchange(kit, { serviceName: second, name: "Call", payload: pack(OtherRequestSchema, { id }) }, replied(""));

/** A call that is streamed both ways, as the caller and as the interceptor see it. */
class Streamed {
  readonly client: ClientStream<typeof RequestSchema, typeof ResponseSchema>;
  readonly connection: Connection;

  private constructor(client: Streamed["client"], connection: Connection) {
    this.client = client;
    this.connection = connection;
  }

  static async open(kit: CaseKit): Promise<Streamed> {
    const client = kit.stream(processStreamed);
    const connection = await kit.connection(streamedPath);
    await expectCommand(connection, { serviceName: service, name: "ProcessStreamed" });
    return new Streamed(client, connection);
  }

  /** The caller sends this, and the function gets and answers it. */
  async exchange(sent: Request, answered: Response): Promise<void> {
    this.client.send(sent);
    await expectCommand(this.connection, { payload: pack(RequestSchema, sent) });
    await this.connection.expectFunction(ActionResponseSchema, answered);
  }

  /** The caller ends it, and so does everybody. */
  async complete(): Promise<void> {
    this.client.complete();
    await this.connection.expectClosed();
    await this.client.expectComplete();
  }
}

export const actionCases: readonly Case[] = [
  {
    id: "P2",
    group: "action",
    name: "verify unary command processing",
    async run(kit) {
      const sent = request(group(reply("one")));
      const answer = kit.call(processUnary, sent);
      await expectUnary(kit, sent, replied("one"));
      await answer.expect({ message: "one" });
    },
  },
  {
    id: "P3",
    group: "action",
    name: "verify streamed-in command processing",
    async run(kit) {
      const sent = request(group(reply("two")));
      const client = kit.stream(processStreamedIn);
      client.send(sent);
      client.complete();
      const connection = await kit.connection(streamedInPath);
      await expectCommand(connection, { serviceName: service, name: "ProcessStreamedIn" });
      await expectCommand(connection, { payload: pack(RequestSchema, sent) });
      await connection.expectProxyComplete();
      await connection.expectFunction(ActionResponseSchema, replied("two"));
      await connection.expectFunctionComplete();
      await client.expect({ message: "two" });
      await client.expectComplete();
    },
  },
  {
    id: "P4",
    group: "action",
    name: "verify streamed-out command processing",
    async run(kit) {
      const sent = request(group(reply("A")), group(reply("B")), group(reply("C")));
      const client = kit.stream(processStreamedOut);
      client.send(sent);
      client.complete();
      const connection = await kit.connection(streamedOutPath);
      await expectCommand(connection, { serviceName: service, name: "ProcessStreamedOut", payload: pack(RequestSchema, sent) });
      await connection.expectProxyComplete();
      for (const message of ["A", "B", "C"]) {
        await connection.expectFunction(ActionResponseSchema, replied(message));
        await client.expect({ message });
      }
      await connection.expectFunctionComplete();
      await client.expectComplete();
    },
  },
  {
    id: "P5",
    group: "action",
    name: "verify streamed command processing",
    async run(kit) {
      const call = await Streamed.open(kit);
      for (const message of ["X", "Y", "Z"]) {
        await call.exchange(request(group(reply(message))), replied(message));
        await call.client.expect({ message });
      }
      await call.complete();
    },
  },
  {
    id: "P6",
    group: "action",
    name: "verify unary forwards and side effects",
    async run(kit) {
      const forwarding = request(group(forward("other")));
      const first = kit.call(processUnary, forwarding);
      await expectUnary(kit, forwarding, forwarded("other"));
      await expectSecond(kit, "other");
      await first.expect({});

      const effecting = request(group(reply(""), effect("another")));
      const other = kit.call(processUnary, effecting);
      await expectUnary(kit, effecting, { ...replied(""), sideEffects: [effectOn("another")] });
      await other.expect({});
      await expectSecond(kit, "another");
    },
  },
  {
    id: "P7",
    group: "action",
    name: "verify streamed forwards and side effects",
    async run(kit) {
      const call = await Streamed.open(kit);
      await call.exchange(request(group(forward("one"))), forwarded("one"));
      await expectSecond(kit, "one");
      await call.client.expect({});
      await call.exchange(request(group(effect("two"))), { sideEffects: [effectOn("two")] });
      await expectSecond(kit, "two");
      await call.complete();
    },
  },
  {
    id: "P8",
    group: "action",
    name: "verify unary failures",
    async run(kit) {
      const sent = request(group(fail("expected failure")));
      const answer = kit.call(processUnary, sent);
      await expectUnary(kit, sent, failed("expected failure"));
      await answer.expectFailure("expected failure");
    },
  },
  {
    id: "P9",
    group: "action",
    name: "verify streamed failures",
    async run(kit) {
      const call = await Streamed.open(kit);
      await call.exchange(request(group(fail("expected failure"))), failed("expected failure"));
      await call.client.expectFailure("expected failure");
      await call.connection.expectProxyCancel();
    },
  },
  {
    id: "P10",
    group: "action",
    name: "verify unary HTTP API",
    async run(kit) {
      const path = "/tck/model/action/unary";
      const good = kit.expectPost(path, { groups: [{ steps: [{ reply: { message: "foo" } }] }] }, '{"message":"foo"}');
      await expectUnary(kit, request(group(reply("foo"))), replied("foo"));
      await good;
      const bad = kit.expectPostFailure(path, { groups: [{ steps: [{ fail: { message: "boom" } }] }] }, "boom");
      await expectUnary(kit, request(group(fail("boom"))), failed("boom"));
      await bad;
    },
  },
];
