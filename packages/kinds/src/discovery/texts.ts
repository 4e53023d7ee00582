/** Cells and rules of EndpointSlices. */
import { numberAt, objectsAt, textAt, textsAt, valueAt } from "../access.ts";
import { none } from "../columns.ts";
import type { KubeObject } from "../object.ts";
import { immutable, requiredValue, unsupportedValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";

/** Named before the rest is only counted. */
const shown = 3;
const addressTypes = ["FQDN", "IPv4", "IPv6"];

function shortened(list: readonly string[]): string {
  if (list.length === 0) return "<unset>";
  const rest = list.length - shown;
  return list.slice(0, shown).join(",") + (rest > 0 ? ` + ${rest} more...` : "");
}

/** Port numbers; the name where there is none. */
export function shownPorts(object: KubeObject): string {
  return shortened(
    objectsAt(object, "ports").map((port) =>
      valueAt(port, "port") === undefined ? textAt(port, "name") || none : String(numberAt(port, "port")),
    ),
  );
}

export function shownEndpoints(object: KubeObject): string {
  return shortened(objectsAt(object, "endpoints").flatMap((endpoint) => textsAt(endpoint, "addresses")));
}

/** A slice's address type is one of three and stays. */
export function immutableType(object: KubeObject, old?: KubeObject): FieldProblem[] {
  const type = textAt(object, "addressType");
  if (type === "") return [requiredValue("addressType")];
  const known = addressTypes.includes(type) ? [] : [unsupportedValue("addressType", type, addressTypes)];
  return old ? [...known, ...immutable("addressType", type, textAt(old, "addressType") === type)] : known;
}
