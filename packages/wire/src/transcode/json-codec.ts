/** JSON ↔ protobuf of one message type, compiled once. */
import type { DescField, DescMessage, Registry } from "@bufbuild/protobuf";
import { Fault } from "@mecha/kit";
import { ProtoReader } from "../descriptors/reader.ts";
import { JsonWriters, type WriteField } from "./from-json.ts";
import { JsonProblem } from "./json-problem.ts";
import { parseJson } from "./json-text.ts";
import { JsonReaders, type ReadMessage } from "./to-json.ts";
import { ProtoWriter } from "./writer.ts";

/** Proto3 JSON with default values, no blanks, lowerCamel names, 64-bit numbers as strings. */
export interface JsonCodec {
  /**
   * A JSON document (UTF-8) as protobuf bytes.
   * @throws Fault("invalid") with line and column when it is no JSON, with the field's path when it does not fit.
   */
  fromJson(document: Uint8Array): Uint8Array;
  /** A JSON value as protobuf bytes. @throws Fault("invalid") with the field's path. */
  fromJsonValue(json: unknown): Uint8Array;
  /** @throws Fault("invalid") when the bytes are malformed or hold what JSON cannot say. */
  toJson(bytes: Uint8Array): string;
}

/** Codecs of one descriptor set. Message types are compiled on first use and shared. */
export class JsonCodecs {
  readonly #writers: JsonWriters;
  readonly #readers: JsonReaders;

  constructor(registry: Registry) {
    this.#writers = new JsonWriters(registry);
    this.#readers = new JsonReaders(registry);
  }

  of(message: DescMessage): JsonCodec {
    const write = this.#writers.message(message);
    const toJson = this.#toJson(message);
    const writer = new ProtoWriter();
    const fromJsonValue = (json: unknown): Uint8Array => {
      writer.reset();
      guarded(() => {
        write(json, writer, 0);
      }, message.typeName);
      return writer.take();
    };
    return { fromJson: (document) => fromJsonValue(parseJson(document)), fromJsonValue, toJson };
  }

  /** Writes one field, tag included. @throws JsonProblem */
  field(field: DescField): WriteField {
    return this.#writers.field(field);
  }

  /** Writes a message's content. @throws JsonProblem */
  content(message: DescMessage): WriteField {
    return this.#writers.message(message);
  }

  #toJson(message: DescMessage): (bytes: Uint8Array) => string {
    return reading(this.#readers.message(message));
  }

  /** The JSON of one field of a message, given the message's bytes. */
  fieldToJson(field: DescField): (bytes: Uint8Array) => string {
    return reading(this.#readers.field(field));
  }
}

function reading(read: ReadMessage): (bytes: Uint8Array) => string {
  return (bytes) => {
    try {
      return read(new ProtoReader(bytes), 0);
    } catch (problem) {
      // Defaults can make the text many times as long as the bytes; past 512 MiB the engine gives up.
      if (problem instanceof RangeError) throw new Fault("outOfRange", "the message is too large for a JSON text", { cause: problem });
      throw problem;
    }
  };
}

/** Runs `write`, turning a JsonProblem into a Fault that names the place: `items[2].quantity: expected …`. */
export function guarded(write: () => void, what: string): void {
  try {
    write();
  } catch (problem) {
    if (problem instanceof JsonProblem) {
      throw new Fault("invalid", `${problem.path === "" ? what : `field ${problem.path}`}: ${problem.message}`, { cause: problem });
    }
    throw problem;
  }
}
