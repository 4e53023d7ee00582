/** Columns several kinds have, and how their cells are put together. Texts are kubectl's; `<none>` stands for what is empty. */
import { isObject, listAt, mapAt, objectsAt, textAt, valueAt } from "./access.ts";
import type { KubeObject } from "./object.ts";
import type { PrinterColumn } from "./resource.ts";
import { ageOf } from "./values/duration.ts";

export const none = "<none>";

/** The object's name. */
export const nameColumn: PrinterColumn = {
  name: "Name",
  type: "string",
  format: "name",
  description: "Name of the object, unique among its kind in its namespace.",
  priority: 0,
  cell: (object) => object.metadata.name,
};

/** Time since the object was made. */
export const ageColumn: PrinterColumn = {
  name: "Age",
  type: "string",
  description: "Time since the server stored the object first.",
  priority: 0,
  cell: (object, nowMs) => ageOf(object.metadata.creationTimestamp, nowMs),
};

/** Time of creation: what kinds show that have no columns of their own. */
export const createdColumn: PrinterColumn = {
  name: "Created At",
  type: "date",
  description: "When the server stored the object first.",
  priority: 0,
  cell: (object) => object.metadata.creationTimestamp ?? "<unknown>",
};

/** A text column. */
export function textColumn(
  name: string,
  description: string,
  cell: (object: KubeObject, nowMs: number) => string,
  priority = 0,
): PrinterColumn {
  return { name, type: "string", description, priority, cell };
}

/** A column of whole numbers. */
/** @param type What the column's definition says; of some numbers the real server says text. */
export function numberColumn(
  name: string,
  description: string,
  cell: (object: KubeObject) => number,
  type: "integer" | "string" = "integer",
): PrinterColumn {
  return { name, type, description, priority: 0, cell };
}

/** The columns `kubectl get -o wide` adds for kinds with a pod template. `path` leads to the template. */
export function templateColumns(path: string): PrinterColumn[] {
  const containers = (object: KubeObject): readonly object[] => objectsAt(object, `${path}.spec.containers`);
  const joined = (object: KubeObject, name: string): string =>
    containers(object)
      .map((container) => textAt(container, name))
      .join(",");
  return [
    textColumn("Containers", "Names of the containers in the template.", (object) => joined(object, "name"), 1),
    textColumn("Images", "Images of the containers in the template.", (object) => joined(object, "image"), 1),
  ];
}

/** The selector of `spec.selector`, in the notation of `kubectl get -l`. */
export const selectorColumn = textColumn(
  "Selector",
  "Which pods belong to the object.",
  (object) => selectorText(valueAt(object, "spec.selector")),
  1,
);

/** A label selector as text: `a=b,c in (d,e),!f`; `<none>` when it selects nothing in particular. */
export function selectorText(selector: unknown): string {
  if (!isObject(selector)) return none;
  const equals = Object.entries(mapAt(selector, "matchLabels")).map(([key, value]) => ({ key, text: `${key}=${value}` }));
  const expressions = objectsAt(selector, "matchExpressions").map((expression) => {
    const key = textAt(expression, "key");
    const values = listAt(expression, "values").join(",");
    const texts: Readonly<Record<string, string>> = {
      In: `${key} in (${values})`,
      NotIn: `${key} notin (${values})`,
      Exists: key,
      DoesNotExist: `!${key}`,
    };
    return { key, text: texts[textAt(expression, "operator")] ?? "<invalid>" };
  });
  const parts = [...equals, ...expressions].sort((a, b) => (a.key < b.key ? -1 : 1)).map((part) => part.text);
  return parts.length === 0 ? none : parts.join(",");
}

/** Labels as text, sorted: `a=b,c=d`. */
export function labelsText(labels: Readonly<Record<string, string>>): string {
  const parts = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return parts.length === 0 ? none : parts.sort().join(",");
}
