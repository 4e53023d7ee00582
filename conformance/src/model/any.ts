/** Payloads of the model: protobuf messages in an Any. */
import { create, type DescMessage, fromBinary, type MessageInitShape, type MessageShape, toBinary } from "@bufbuild/protobuf";

/** google.protobuf.Any's two fields. */
export interface AnyFields {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

/** A message in an Any. */
export function pack<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>): AnyFields {
  return { typeUrl: `type.googleapis.com/${schema.typeName}`, value: toBinary(schema, create(schema, init)) };
}

/** The message in an Any. @throws Error when it holds another type. */
export function unpack<Desc extends DescMessage>(schema: Desc, any: AnyFields | undefined): MessageShape<Desc> {
  if (any?.typeUrl !== `type.googleapis.com/${schema.typeName}`)
    throw new Error(`expected ${schema.typeName}, got ${any?.typeUrl ?? "nothing"}`);
  return fromBinary(schema, any.value);
}
