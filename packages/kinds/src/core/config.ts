/** ConfigMap and Secret: data that pods take as environment or files. */
import { isObject, mapAt, sameJson, textAt } from "../access.ts";
import { ageColumn, nameColumn, numberColumn, textColumn } from "../columns.ts";
import { definer } from "../define.ts";
import type { KubeObject } from "../object.ts";
import { forbiddenValue, immutable, invalidValue, problemsOf, requiredValue, tooLongValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";
import { dataKey } from "../rules/names.ts";
import { utf8Length } from "../rules/object-meta.ts";
import { secretText, tlsPairProblem } from "../warnings/tls-pair.ts";

const define = definer("", "v1");
/** Of all values together: an object must fit into one write of any log, with room for the rest. */
const dataMaxBytes = 1024 * 1024;

const keys = (field: string, data: Readonly<Record<string, unknown>>): FieldProblem[] =>
  Object.keys(data).flatMap((key) => problemsOf(`${field}[${key}]`, key, dataKey(key)));
/** Bytes behind base64; null is none. */
const decodedLength = (text: string | null): number => Math.floor(((text ?? "").replace(/=+$/, "").length * 3) / 4);
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

function whileImmutable(object: KubeObject, old: KubeObject | undefined, fields: readonly string[]): FieldProblem[] {
  if (old?.["immutable"] !== true) return [];
  const why = "field is immutable when `immutable` is set";
  const changed = fields.filter((field) => !sameJson(object[field] ?? {}, old[field] ?? {}));
  return [...(object["immutable"] === true ? [] : ["immutable"]), ...changed].map((field) => forbiddenValue(field, why));
}

function validateConfigMap(object: KubeObject, old?: KubeObject): FieldProblem[] {
  const data = mapAt(object, "data");
  const binary = mapAt(object, "binaryData");
  const twice = Object.keys(data).filter((key) => key in binary);
  const bytes = sum(Object.values(data).map(utf8Length)) + sum(Object.values(binary).map(decodedLength));
  return [
    ...whileImmutable(object, old, ["data", "binaryData"]),
    ...keys("data", data),
    ...twice.map((key) => invalidValue(`data[${key}]`, key, "duplicate of key present in binaryData")),
    ...keys("binaryData", binary),
    ...(bytes > dataMaxBytes ? [tooLongValue("[]", dataMaxBytes)] : []),
  ];
}

export const configMap = define({
  kind: "ConfigMap",
  plural: "configmaps",
  shortNames: ["cm"],
  columns: [
    nameColumn,
    numberColumn(
      "Data",
      "Number of keys.",
      (object) => Object.keys(mapAt(object, "data")).length + Object.keys(mapAt(object, "binaryData")).length,
      "string",
    ),
    ageColumn,
  ],
  validate: validateConfigMap,
});

const redacted = "<secret contents redacted>";
/** Keys each type of Secret must have. */
const neededKeys: Readonly<Record<string, readonly string[]>> = {
  "kubernetes.io/dockercfg": [".dockercfg"],
  "kubernetes.io/dockerconfigjson": [".dockerconfigjson"],
  "kubernetes.io/ssh-auth": ["ssh-privatekey"],
  "kubernetes.io/tls": ["tls.crt", "tls.key"],
};

/** Logins of registries are a JSON object. What is wrong is said without showing any of it. */
function validateDocker(base64: string, field: string): FieldProblem[] {
  let text = "";
  try {
    text = new TextDecoder().decode(Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)));
    const value: unknown = JSON.parse(text);
    if (value === null || isObject(value)) return [];
    const what = Array.isArray(value) ? "array" : typeof value === "boolean" ? "bool" : typeof value;
    return [invalidValue(field, redacted, `json: cannot unmarshal ${what} into Go value of type map[string]interface {}`)];
  } catch {
    const first = text.trim().charAt(0);
    const unstarted = first !== "" && !/[[{"\dtfn-]/.test(first);
    return [
      invalidValue(
        field,
        redacted,
        unstarted ? `invalid character '${first}' looking for beginning of value` : "unexpected end of JSON input",
      ),
    ];
  }
}

function validateSecret(object: KubeObject, old?: KubeObject): FieldProblem[] {
  const data = mapAt(object, "data");
  const type = textAt(object, "type");
  const problems = old ? immutable("type", type, type === textAt(old, "type")) : [];
  problems.push(...whileImmutable(object, old, ["data"]), ...keys("data", data));
  if (sum(Object.values(data).map(decodedLength)) > dataMaxBytes) problems.push(tooLongValue("data", dataMaxBytes));
  for (const key of neededKeys[type] ?? []) {
    const value = data[key];
    if (value === undefined) problems.push(requiredValue(`data[${key}]`));
    else if (key.startsWith(".docker")) problems.push(...validateDocker(value, `data[${key}]`));
  }
  if (type === "kubernetes.io/basic-auth" && !("username" in data) && !("password" in data))
    problems.push(requiredValue("data[username]"), requiredValue("data[password]"));
  if (type === "kubernetes.io/service-account-token" && !mapAt(object, "metadata.annotations")["kubernetes.io/service-account.name"])
    problems.push(requiredValue("metadata.annotations[kubernetes.io/service-account.name]"));
  return problems;
}

function secretWarnings(object: KubeObject): string[] {
  if (textAt(object, "type") !== "kubernetes.io/tls") return [];
  const [certificate, key] = ["tls.crt", "tls.key"].map((name) => secretText(mapAt(object, "data")[name])) as [string, string];
  const problem = tlsPairProblem(certificate, key);
  return problem === undefined ? [] : [problem];
}

export const secret = define({
  kind: "Secret",
  plural: "secrets",
  columns: [
    nameColumn,
    textColumn("Type", "What the data is for; the server checks that its keys are there.", (object) => textAt(object, "type")),
    numberColumn("Data", "Number of keys.", (object) => Object.keys(mapAt(object, "data")).length, "string"),
    ageColumn,
  ],
  selectableFields: new Map([["type", (object: KubeObject) => textAt(object, "type")]]),
  validate: validateSecret,
  warnings: secretWarnings,
});
