/** cloudstate.action, seen from the function. */
import {
  type CallMetadata,
  type EffectOut,
  lengthDelimited,
  noMetadata,
  type Outcome,
  readAny,
  Reader,
  readMetadata,
  writeEffects,
  writeOutcome,
  Writer,
} from "./common.ts";

export const actionService = "cloudstate.action.ActionProtocol";

/** One message of an action's call. In a stream, the first names the method and later ones only carry payloads. */
export interface ActionIn {
  readonly service: string;
  readonly name: string;
  /** `undefined`: the opening message of a streamed-in call. */
  readonly payload: Uint8Array | undefined;
  /** Of the payload. */
  readonly typeUrl: string;
  readonly metadata: CallMetadata;
}

/** ActionCommand {service_name = 2, name = 3, payload = 4, metadata = 5}. */
export function readActionIn(bytes: Uint8Array): ActionIn {
  const reader = new Reader(bytes);
  let service = "";
  let name = "";
  let payload: Uint8Array | undefined;
  let typeUrl = "";
  let metadata = noMetadata;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === lengthDelimited(2)) service = reader.text();
    else if (tag === lengthDelimited(3)) name = reader.text();
    else if (tag === lengthDelimited(4)) ({ typeUrl, value: payload } = readAny(reader.message()));
    else if (tag === lengthDelimited(5)) metadata = readMetadata(reader.message());
    else reader.skip(tag);
  }
  return { service, name, payload, typeUrl, metadata };
}

/** One response. `nothing` with or without effects is a response too. */
export interface ActionAnswer {
  readonly outcome: Outcome;
  readonly effects: readonly EffectOut[];
}

const writer = new Writer();

/** ActionResponse {failure = 1, reply = 2, forward = 3, side_effects = 4}. */
export function encodeActionResponse({ outcome, effects }: ActionAnswer): Uint8Array {
  writer.reset();
  writeOutcome(writer, outcome, { failure: 1, reply: 2, forward: 3 }, 0);
  writeEffects(writer, 4, effects);
  return writer.finish();
}
