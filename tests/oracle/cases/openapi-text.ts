/**
 * OpenAPI documents as values that can be compared. Left out: sentences, which are everybody's own. Written in one form: whether version 3 wraps a
 * reference, which depends on whether there is a sentence; whether version 2 names a parameter in place or where all are; in which order media types stand.
 */

/** @param version 2 or 3. */
export function readable(document: any, version: 2 | 3): unknown {
  const { paths, components, definitions, parameters: shared, ...rest } = document ?? {};
  const readOperation = (value: any): unknown => operation(value, version, shared ?? {});
  return {
    ...rest,
    ...(components && { components: { ...components, schemas: schemas(components.schemas) } }),
    ...(definitions && { definitions: schemas(definitions) }),
    paths: Object.fromEntries(
      Object.entries((paths ?? {}) as Record<string, any>).map(([path, item]) => [
        path,
        Object.fromEntries(
          Object.entries(item).map(([method, value]) => [
            method,
            method === "parameters" ? parameters(value as any[], shared ?? {}) : readOperation(value),
          ]),
        ),
      ]),
    ),
  };
}

const schemas = (all: Record<string, unknown> | undefined): unknown =>
  Object.fromEntries(Object.entries(all ?? {}).map(([name, schema]) => [name, plain(schema)]));

function operation({ description: _, parameters: own, ...rest }: any, version: 2 | 3, shared: Record<string, any>): unknown {
  const { requestBody, responses, consumes, produces, ...more } = rest;
  return {
    ...more,
    ...(own && { parameters: parameters(own, shared) }),
    ...(requestBody && { requestBody: plain(requestBody) }),
    ...(version === 2 && { consumes: asSet(consumes), produces: asSet(produces) }),
    responses: plain(responses),
  };
}

/** By name, so that one that is missing is one difference. */
function parameters(list: readonly any[], shared: Record<string, any>): unknown {
  const whole = list.map((one) => (one.$ref === undefined ? one : shared[String(one.$ref).replace("#/parameters/", "")]));
  return Object.fromEntries(whole.map((one) => [`${one.name} in ${one.in}`, plain(one)]));
}

const asSet = (names: readonly string[] = []): unknown => Object.fromEntries(names.map((name) => [name, true]));

function plain(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(plain);
  if (typeof schema !== "object" || schema === null) return schema;
  const { description, allOf, "x-kubernetes-group-version-kind": kinds, ...rest } = schema as Record<string, unknown>;
  const [only] = Array.isArray(allOf) && allOf.length === 1 ? (allOf as Record<string, unknown>[]) : [];
  return {
    ...Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, plain(value)])),
    ...(Array.isArray(kinds) && { kinds: asSet(kinds.map(({ group, version, kind }) => `${group}/${version} ${kind}`)) }),
    // A field may be called description.
    ...(typeof description === "object" && { description: plain(description) }),
    ...(only && "$ref" in only ? only : allOf !== undefined && { allOf: plain(allOf) }),
  };
}
