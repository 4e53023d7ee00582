/**
 * google.api.http rules, checked: what is wrong is said when the descriptors are loaded, with the method and the rule, never when the
 * first request arrives.
 *
 * Refused: a rule without a pattern; a selector that names another method; a path template that does not parse; a path variable that is
 * unknown, repeated, a map, an enum or a message, or that stands twice, or that the body fills too; a custom kind other than "*"; a body or
 * response_body field that is unknown; a body field that is repeated; additional_bindings inside additional_bindings.
 */
import { type DescField, type DescMessage, type DescMethod, getOption, hasOption } from "@bufbuild/protobuf";
import { Fault } from "@mecha/kit";
import { http } from "../gen/google/api/annotations_pb.ts";
import type { HttpRule } from "../gen/google/api/http_pb.ts";
import { parseTemplate, type PathTemplate } from "./template.ts";

/** A path variable and the field it fills, from the outermost message inwards. */
export interface BoundVariable {
  readonly name: string;
  readonly fields: readonly [DescField, ...DescField[]];
  readonly from: number;
  readonly to: number | undefined;
}

/** One way to reach a method over HTTP. */
export interface HttpBinding {
  readonly method: DescMethod;
  /** In capitals; "*" = every method. */
  readonly httpMethod: string;
  readonly template: PathTemplate;
  readonly variables: readonly BoundVariable[];
  /** What the request's body fills. `none`: nothing, and what the path leaves comes from the query. */
  readonly body: { readonly is: "none" } | { readonly is: "message" } | { readonly is: "field"; readonly field: DescField };
  /** The field of the answer that is sent instead of the whole. */
  readonly responseField: DescField | undefined;
  /** True for the path every method has without an annotation. */
  readonly isDefault: boolean;
}

/** `POST /<full service name>/<method>` with the whole message as body. */
export function defaultBinding(method: DescMethod): HttpBinding {
  return {
    method,
    httpMethod: "POST",
    template: parseTemplate(`/${method.parent.typeName}/${method.name}`),
    variables: [],
    body: { is: "message" },
    responseField: undefined,
    isDefault: true,
  };
}

/**
 * The bindings a method's google.api.http annotation declares, the main one first; none without an annotation.
 * @throws Fault("invalid") naming the method and what is wrong.
 */
export function annotatedBindings(method: DescMethod): HttpBinding[] {
  const where = `google.api.http of ${method.parent.typeName}.${method.name}`;
  const rule = httpRule(method, where);
  if (!rule) return [];
  try {
    const more = rule.additionalBindings.map((inner) => {
      if (inner.additionalBindings.length > 0) throw new Fault("invalid", "additional_bindings must not hold additional_bindings");
      return bindingOf(method, inner);
    });
    return [bindingOf(method, rule), ...more];
  } catch (problem) {
    if (problem instanceof Fault) throw new Fault("invalid", `${where}: ${problem.message}`);
    throw problem;
  }
}

function httpRule(method: DescMethod, where: string): HttpRule | undefined {
  try {
    return hasOption(method, http) ? getOption(method, http) : undefined;
  } catch (cause) {
    throw new Fault("invalid", `${where}: the option's bytes are malformed`, { cause });
  }
}

function bindingOf(method: DescMethod, rule: HttpRule): HttpBinding {
  const ownName = `${method.parent.typeName}.${method.name}`;
  if (rule.selector !== "" && rule.selector !== ownName) {
    throw new Fault("invalid", `the selector ${JSON.stringify(rule.selector)} names another method; leave it out or write ${ownName}`);
  }
  const { httpMethod, path } = patternOf(rule);
  const template = parseTemplate(path);
  const body = bodyOf(method.input, rule.body);
  const variables = template.variables.map(({ fieldPath, from, to }) => {
    const fields = variableFields(method.input, fieldPath);
    if (body.is === "field" && fields[0] === body.field) {
      throw new Fault("invalid", `the field ${body.field.name} is filled by the path and by the body; take one of them`);
    }
    return { name: fieldPath.join("."), fields, from, to };
  });
  return {
    method,
    httpMethod,
    template,
    variables,
    body,
    responseField: responseFieldOf(method.output, rule.responseBody),
    isDefault: false,
  };
}

function patternOf(rule: HttpRule): { readonly httpMethod: string; readonly path: string } {
  const { pattern } = rule;
  if (pattern.case === undefined) throw new Fault("invalid", "has no pattern; give it one of get, put, post, delete, patch or custom");
  if (pattern.case !== "custom") return { httpMethod: pattern.case.toUpperCase(), path: pattern.value };
  if (pattern.value.kind !== "*") {
    throw new Fault("invalid", `the custom kind ${JSON.stringify(pattern.value.kind)} is not supported; only "*" (every method) is`);
  }
  return { httpMethod: "*", path: pattern.value.path };
}

function bodyOf(input: DescMessage, body: string): HttpBinding["body"] {
  if (body === "") return { is: "none" };
  if (body === "*") return { is: "message" };
  const field = fieldNamed(input, body);
  if (!field) throw new Fault("invalid", `the body ${JSON.stringify(body)} is no field of ${input.typeName}`);
  if (field.fieldKind === "list" || field.fieldKind === "map") throw new Fault("invalid", `the body ${body} is a repeated field`);
  return { is: "field", field };
}

function responseFieldOf(output: DescMessage, name: string): DescField | undefined {
  if (name === "") return undefined;
  const field = fieldNamed(output, name);
  if (!field) throw new Fault("invalid", `the response_body ${JSON.stringify(name)} is no field of ${output.typeName}`);
  return field;
}

function variableFields(input: DescMessage, path: readonly string[]): [DescField, ...DescField[]] {
  const name = path.join(".");
  const fields: DescField[] = [];
  let message: DescMessage | undefined = input;
  for (const step of path) {
    const field: DescField | undefined = message && fieldNamed(message, step);
    if (!field) throw new Fault("invalid", `the path variable ${name} is no field of ${input.typeName}`);
    if (field.fieldKind === "list" || field.fieldKind === "map")
      throw new Fault("invalid", `the path variable ${name} is a repeated field`);
    fields.push(field);
    message = field.message;
  }
  const last = fields.at(-1) as DescField;
  if (last.fieldKind !== "scalar") {
    throw new Fault("invalid", `the path variable ${name} is ${last.fieldKind === "enum" ? "an enum" : "a message"}; take a scalar field`);
  }
  return fields as [DescField, ...DescField[]];
}

/** By proto name, as annotations are written. */
function fieldNamed(message: DescMessage, name: string): DescField | undefined {
  return message.fields.find((field) => field.name === name);
}
