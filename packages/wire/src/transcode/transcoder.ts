/**
 * HTTP/JSON requests to protobuf messages and back, for the methods of a service (google.api.http, and the default path).
 *
 * A request message is put together by appending: what the body gives, then the query, then the path. Protobuf parsers let the last
 * occurrence of a field win and merge messages, so path variables override without a message ever being built.
 */
import type { DescMethod, Registry } from "@bufbuild/protobuf";
import { Fault } from "@mecha/kit";
import { annotatedBindings, type BoundVariable, defaultBinding, type HttpBinding } from "./binding.ts";
import { compileFieldOrder } from "./field-order.ts";
import { guarded, JsonCodecs } from "./json-codec.ts";
import { parseJson } from "./json-text.ts";
import { wireType } from "../descriptors/reader.ts";
import type { Strictness } from "./problem.ts";
import { QueryFields } from "./query.ts";
import { fieldContent, isHttpBody, type RawBody, readRawBody, writeRawBody } from "./raw-body.ts";
import { templateShape } from "./template.ts";
import { compileTextField, type WriteText } from "./text-field.ts";
import { ProtoWriter } from "./writer.ts";

/** One way to reach a method over HTTP, compiled. */
export interface HttpRoute {
  readonly binding: HttpBinding;
  /** Whether a body is read at all. */
  readonly takesBody: boolean;
  /** The body is no JSON but fills a google.api.HttpBody: any content type will do. */
  readonly takesRawBody: boolean;
  /**
   * The request message.
   * @param segments The path's, as `RouteTable.match` gave them.
   * @param query What follows "?", without it.
   * @param body The request's body, UTF-8 JSON; empty = `{}`. With `takesRawBody` any bytes.
   * @param contentType The body's; only looked at with `takesRawBody`.
   * @throws Fault("invalid") naming the field, parameter or place.
   */
  request(segments: readonly string[], query: string, body: Uint8Array, contentType?: string): Uint8Array;
  /** The answer's JSON. @throws Fault("invalid") when the bytes are no message of the method's output type. */
  response(message: Uint8Array): string;
  /** For answers that are a google.api.HttpBody: what is sent instead of JSON. @throws as `response`. */
  readonly rawResponse: ((message: Uint8Array) => RawBody) | undefined;
}

/** Compiles the routes of methods of one descriptor set. */
export class Transcoder {
  readonly #codecs: JsonCodecs;
  readonly #strict: Strictness;

  constructor(registry: Registry, { strict }: { readonly strict?: Strictness } = {}) {
    this.#codecs = new JsonCodecs(registry);
    this.#strict = strict;
  }

  /**
   * The routes of a service's methods, in declaration order: those of annotations, and the default path of each method. The default path
   * comes first, so that an annotation of the same shape wins; strict: only methods without annotation have it, as in the reference.
   * @throws Fault("invalid") for an illegal annotation.
   */
  routes(methods: Iterable<DescMethod>): HttpRoute[] {
    const defaults: HttpBinding[] = [];
    const annotated: HttpBinding[] = [];
    for (const method of methods) {
      const own = annotatedBindings(method);
      annotated.push(...own);
      if (own.length === 0 || !this.#strict) defaults.push(defaultBinding(method));
    }
    return [...defaults, ...annotated].map((binding) => this.#route(binding));
  }

  #route(binding: HttpBinding): HttpRoute {
    const codec = { request: this.#requestOf(binding), response: this.#responseOf(binding) };
    const takesBody = binding.body.is !== "none";
    return { binding, takesBody, takesRawBody: takesRaw(binding), rawResponse: rawResponseOf(binding), ...codec };
  }

  #requestOf(binding: HttpBinding): HttpRoute["request"] {
    const { body, method } = binding;
    const writeBody = this.#bodyWriter(binding);
    const variables = binding.variables.map((variable) => this.#variable(variable));
    const query = this.#queryWriter(binding);
    const canonical = compileFieldOrder(method.input);
    const writer = new ProtoWriter();
    return (segments, queryText, bodyBytes, contentType = "") => {
      writer.reset();
      if (body.is !== "none" || bodyBytes.length > 0) writeBody(bodyBytes, writer, contentType);
      query(queryText, writer);
      for (const variable of variables) variable(segments, writer);
      const message = writer.take();
      return variables.length === 0 && queryText === "" ? message : canonical(message);
    };
  }

  #bodyWriter(binding: HttpBinding): (bytes: Uint8Array, writer: ProtoWriter, contentType: string) => void {
    const { body, method } = binding;
    if (takesRaw(binding)) return rawWriter(body);
    if (body.is === "none") {
      if (this.#strict) return () => {};
      return () => {
        throw new Fault("invalid", `${method.name} takes no body here; its fields go into the path and the query`);
      };
    }
    const write = body.is === "message" ? this.#codecs.content(method.input) : this.#codecs.field(body.field);
    const what = body.is === "message" ? method.input.typeName : `field ${body.field.name}`;
    return (bytes, writer) => {
      if (bytes.length === 0 && !this.#strict) return;
      const json = parseJson(bytes);
      guarded(() => {
        write(json, writer, 0);
      }, what);
    };
  }

  #queryWriter({ body, method, variables }: HttpBinding): (query: string, writer: ProtoWriter) => void {
    if (body.is === "message") {
      return (query) => {
        if (query === "" || this.#strict) return;
        const name = query.split(/[&=]/, 1)[0] ?? "";
        throw new Fault(
          "invalid",
          `the query parameter ${JSON.stringify(name.slice(0, 200))} is unknown: ${method.name} takes its fields from the body`,
        );
      };
    }
    const taken = variables.map((variable) => variable.name);
    if (body.is === "field") taken.push(body.field.name);
    const fields = new QueryFields(this.#codecs, method.input, taken);
    return (query, writer) => {
      fields.write(query, writer);
    };
  }

  #variable({ name, fields, from, to }: BoundVariable): (segments: readonly string[], writer: ProtoWriter) => void {
    const write: WriteText = compileTextField(this.#codecs, fields);
    const isOneSegment = to === from + 1;
    return (segments, writer) => {
      const text = isOneSegment
        ? decodeSegment(segments[from] as string, name)
        : segments
            .slice(from, to)
            .map((segment) => decodeKeepingSlashes(segment, name))
            .join("/");
      guarded(() => {
        write(text, writer);
      }, `path variable ${name}`);
    };
  }

  #responseOf({ method, responseField }: HttpBinding): HttpRoute["response"] {
    if (responseField) return this.#codecs.fieldToJson(responseField);
    const codec = this.#codecs.of(method.output);
    return (message) => codec.toJson(message);
  }
}

function takesRaw({ body, method }: HttpBinding): boolean {
  return body.is === "message" ? isHttpBody(method.input) : body.is === "field" && isHttpBody(body.field.message);
}

function rawWriter(body: HttpBinding["body"]): (bytes: Uint8Array, writer: ProtoWriter, contentType: string) => void {
  if (body.is !== "field") {
    return (bytes, writer, contentType) => {
      writeRawBody(writer, contentType, bytes);
    };
  }
  const tag = ((body.field.number << 3) | wireType.bytes) >>> 0;
  return (bytes, writer, contentType) => {
    writer.uint32(tag);
    const mark = writer.begin();
    writeRawBody(writer, contentType, bytes);
    writer.finish(mark);
  };
}

function rawResponseOf({ method, responseField }: HttpBinding): HttpRoute["rawResponse"] {
  if (!responseField) return isHttpBody(method.output) ? readRawBody : undefined;
  if (responseField.fieldKind !== "message" || !isHttpBody(responseField.message)) return undefined;
  return (message) => readRawBody(fieldContent(message, responseField));
}

/** Shape of a binding: two with the same one match the same requests. */
export function bindingShape(binding: HttpBinding): string {
  return `${binding.httpMethod} ${templateShape(binding.template)}`;
}

function decodeSegment(segment: string, name: string): string {
  if (!segment.includes("%")) return segment;
  try {
    return decodeURIComponent(segment);
  } catch (cause) {
    throw new Fault("invalid", `the path variable ${name} is not percent-encoded UTF-8`, { cause });
  }
}

/** In a variable of several segments an encoded slash stays encoded: decoding it would change where segments end (google.api.http). */
function decodeKeepingSlashes(segment: string, name: string): string {
  if (!segment.includes("%")) return segment;
  return segment
    .split(/(%2f)/i)
    .map((part) => (/^%2f$/i.test(part) ? part : decodeSegment(part, name)))
    .join("");
}
