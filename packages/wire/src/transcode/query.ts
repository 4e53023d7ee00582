/** Query parameters that fill fields: `?page_size=10&filter.state=OPEN&tag=a&tag=b`. */
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { Fault } from "@mecha/kit";
import type { JsonProblem } from "./json-problem.ts";
import type { JsonCodecs } from "./json-codec.ts";
import { guarded } from "./json-codec.ts";
import { compileTextField, fitsText, type WriteText } from "./text-field.ts";
import type { ProtoWriter } from "./writer.ts";

/** Most parameters in one request; the transport bounds their length. */
export const queryParametersMax = 1000;
/** Most messages a dotted name goes through. */
const dotsMax = 32;

interface Parameter {
  readonly write: WriteText;
  readonly repeated: boolean;
}

/** Compiled on first use of each name; names are those of the message, so there is an end to them. */
export class QueryFields {
  readonly #codecs: JsonCodecs;
  readonly #message: DescMessage;
  /** Top-level fields and dotted paths that the path or the body fills. */
  readonly #taken: ReadonlySet<string>;
  readonly #parameters = new Map<string, Parameter>();

  constructor(codecs: JsonCodecs, message: DescMessage, taken: Iterable<string>) {
    this.#codecs = codecs;
    this.#message = message;
    this.#taken = new Set(taken);
  }

  /**
   * Appends the fields of a query string to `writer`.
   * @throws Fault("invalid") naming the parameter: unknown, given twice without being repeated, of a wrong type, badly encoded.
   */
  write(query: string, writer: ProtoWriter): void {
    if (query === "") return;
    const pairs = query.split("&", queryParametersMax + 1);
    if (pairs.length > queryParametersMax) throw new Fault("invalid", `the query has more than ${queryParametersMax} parameters`);
    const seen = new Set<string>();
    for (const pair of pairs) {
      if (pair === "") continue;
      const equals = pair.indexOf("=");
      const name = decoded(equals < 0 ? pair : pair.slice(0, equals), "a name");
      const text = equals < 0 ? "" : decoded(pair.slice(equals + 1), `the value of ${JSON.stringify(name)}`);
      const { write, repeated } = this.#parameter(name);
      if (!repeated && seen.has(name)) throw new Fault("invalid", `the query parameter ${JSON.stringify(name)} is given twice`);
      seen.add(name);
      guardedParameter(name, () => {
        write(text, writer);
      });
    }
  }

  #parameter(name: string): Parameter {
    let parameter = this.#parameters.get(name);
    if (!parameter) {
      const path = this.#resolve(name);
      parameter = { write: compileTextField(this.#codecs, path), repeated: path.at(-1)?.fieldKind === "list" };
      this.#parameters.set(name, parameter);
    }
    return parameter;
  }

  #resolve(name: string): DescField[] {
    const steps = name.split(".", dotsMax + 1);
    const path: DescField[] = [];
    let message: DescMessage | undefined = this.#message;
    for (const step of steps) {
      const field: DescField | undefined = message?.fields.find((other) => other.name === step || other.jsonName === step);
      if (!field || steps.length > dotsMax) throw unknown(name, this.#message);
      path.push(field);
      // Behind a list or a map there is no single message to go into.
      message = field.fieldKind === "message" ? field.message : undefined;
    }
    const dotted = path.map((field) => field.name).join(".");
    if (this.#taken.has(dotted) || this.#taken.has((path[0] as DescField).name)) {
      throw new Fault("invalid", `the query parameter ${JSON.stringify(name)} is already given by the path or the body`);
    }
    const last = path.at(-1) as DescField;
    if (!fitsText(last)) {
      const fix = last.fieldKind === "message" ? `; name its fields, as ${name}.${last.message.fields[0]?.name ?? "…"}` : "";
      throw new Fault("invalid", `the query parameter ${JSON.stringify(name)} is a ${last.fieldKind === "map" ? "map" : "message"}${fix}`);
    }
    return path;
  }
}

/** Names shown in a message about an unknown one. */
const namesShownMax = 20;

function unknown(name: string, message: DescMessage): Fault {
  const names = message.fields.slice(0, namesShownMax).map((field) => field.name);
  const known = names.length === 0 ? "it has no fields" : `its fields are ${names.join(", ")}`;
  return new Fault("invalid", `the query parameter ${JSON.stringify(name.slice(0, 200))} is no field of ${message.typeName}; ${known}`);
}

function decoded(text: string, what: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch (cause) {
    throw new Fault("invalid", `the query holds ${what} that is not percent-encoded UTF-8`, { cause });
  }
}

function guardedParameter(name: string, write: () => void): void {
  try {
    guarded(write, "value");
  } catch (problem) {
    const cause = problem instanceof Fault ? (problem.cause as JsonProblem | undefined) : undefined;
    if (cause === undefined) throw problem;
    throw new Fault("invalid", `the query parameter ${JSON.stringify(name)}: ${cause.message}`);
  }
}
