/** The action models of the TCK: groups of steps become answers. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type ActionCommand, type ActionResponse, ActionResponseSchema } from "@mecha/wire/gen/cloudstate/action";
import { OtherRequestSchema, type ProcessGroup, RequestSchema, ResponseSchema } from "../gen/cloudstate/tck/model/action_pb.ts";
import { pack, unpack } from "./any.ts";
import { answersToEvent, eventLogSubscriber } from "./event-log.ts";

const second = "cloudstate.tck.model.action.ActionTwo";

type ActionResponseInit = MessageInitShape<typeof ActionResponseSchema>;

/** One answer for each group of a command's request; ActionTwo answers an empty Response. */
export function answersTo(service: string, command: ActionCommand): ActionResponse[] {
  if (service === eventLogSubscriber) return answersToEvent(command);
  if (service === second) {
    unpack(OtherRequestSchema, command.payload);
    return [create(ActionResponseSchema, { response: { case: "reply", value: { payload: pack(ResponseSchema, {}) } } })];
  }
  return unpack(RequestSchema, command.payload).groups.map((group) => create(ActionResponseSchema, answerOf(group)));
}

/** The one answer for many: the last response there is, and all effects. */
export function joined(answers: readonly ActionResponse[]): ActionResponse {
  const response = answers.findLast((answer) => answer.response.case !== undefined)?.response ?? { case: undefined };
  return create(ActionResponseSchema, { response, sideEffects: answers.flatMap((answer) => answer.sideEffects) });
}

function answerOf({ steps }: ProcessGroup): ActionResponseInit {
  const answer: { response: NonNullable<ActionResponse["response"]> | object; sideEffects: object[] } = {
    response: { case: undefined },
    sideEffects: [],
  };
  for (const { step } of steps) {
    switch (step.case) {
      case "reply":
        answer.response = { case: "reply", value: { payload: pack(ResponseSchema, { message: step.value.message }) } };
        break;
      case "forward":
        answer.response = {
          case: "forward",
          value: { serviceName: second, commandName: "Call", payload: pack(OtherRequestSchema, { id: step.value.id }) },
        };
        break;
      case "fail":
        answer.response = { case: "failure", value: { description: step.value.message } };
        break;
      case "effect": {
        const { id, synchronous } = step.value;
        answer.sideEffects.push({ serviceName: second, commandName: "Call", payload: pack(OtherRequestSchema, { id }), synchronous });
        break;
      }
      case undefined:
        break;
    }
  }
  return answer as ActionResponseInit;
}
