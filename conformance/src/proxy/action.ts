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

/** One unary exchange with the function. */
async function expectUnary(kit: CaseKit, sent: Request, answered: Response): Promise<void> {
  const unary = await kit.connection(unaryPath);
  await expectCommand(unary, { serviceName: service, name: "ProcessUnary", payload: pack(RequestSchema, sent) });
  await unary.expectProxyComplete();
  await unary.expectFunction(ActionResponseSchema, answered);
  await unary.expectFunctionComplete();
}

/** The second action is called with this id. */
async function expectSecond(kit: CaseKit, id: string): Promise<void> {
  const unary = await kit.connection(unaryPath);
  await expectCommand(unary, { serviceName: second, name: "Call", payload: pack(OtherRequestSchema, { id }) });
  await unary.expectProxyComplete();
  await unary.expectFunction(ActionResponseSchema, replied(""));
  await unary.expectFunctionComplete();
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
      const client = kit.stream(processStreamed);
      const connection = await kit.connection(streamedPath);
      await expectCommand(connection, { serviceName: service, name: "ProcessStreamed" });
      for (const message of ["X", "Y", "Z"]) {
        const sent = request(group(reply(message)));
        client.send(sent);
        await expectCommand(connection, { payload: pack(RequestSchema, sent) });
        await connection.expectFunction(ActionResponseSchema, replied(message));
        await client.expect({ message });
      }
      client.complete();
      await connection.expectClosed();
      await client.expectComplete();
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
      const client = kit.stream(processStreamed);
      const connection = await kit.connection(streamedPath);
      await expectCommand(connection, { serviceName: service, name: "ProcessStreamed" });

      const forwarding = request(group(forward("one")));
      client.send(forwarding);
      await expectCommand(connection, { payload: pack(RequestSchema, forwarding) });
      await connection.expectFunction(ActionResponseSchema, forwarded("one"));
      await expectSecond(kit, "one");
      await client.expect({});

      const effecting = request(group(effect("two")));
      client.send(effecting);
      await expectCommand(connection, { payload: pack(RequestSchema, effecting) });
      await connection.expectFunction(ActionResponseSchema, { sideEffects: [effectOn("two")] });
      await expectSecond(kit, "two");

      client.complete();
      await connection.expectClosed();
      await client.expectComplete();
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
      const client = kit.stream(processStreamed);
      const connection = await kit.connection(streamedPath);
      await expectCommand(connection, { serviceName: service, name: "ProcessStreamed" });
      const sent = request(group(fail("expected failure")));
      client.send(sent);
      await expectCommand(connection, { payload: pack(RequestSchema, sent) });
      await connection.expectFunction(ActionResponseSchema, failed("expected failure"));
      await client.expectFailure("expected failure");
      await connection.expectProxyCancel();
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
