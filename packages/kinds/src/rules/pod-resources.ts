/** Resources of a pod as a whole: what it asks for when only its limits, or its containers, say so. */
import { ensureObject, isObject, mapAt, objectsAt, setAbsent, textAt } from "../access.ts";
import type { JsonObject } from "../object.ts";
import { addQuantities, compareQuantities, parseQuantity, type Quantity } from "../values/quantity.ts";

/** Requests that were left out: what the containers ask for together, else as much as the pod may have. Nothing for a pod without limits of its own. */
export function defaultPodRequests(spec: JsonObject): void {
  const { resources } = spec;
  const limits = Object.entries(mapAt(resources, "limits"));
  if (!isObject(resources) || limits.length === 0) return;
  const requests = ensureObject(resources, "requests");
  for (const name of ["cpu", "memory"]) {
    const asked = requestedBy(spec, name);
    if (asked) setAbsent(requests, name, asked.text);
  }
  for (const [name, limit] of limits)
    if (name === "cpu" || name === "memory" || name.startsWith("hugepages-")) setAbsent(requests, name, limit);
}

/** What the containers need at once: all that stay, or an init container beside those that stay and began before it. */
function requestedBy(spec: JsonObject, name: string): Quantity | undefined {
  const asked = (container: JsonObject): Quantity | undefined => {
    const text = mapAt(container, "resources.requests")[name];
    return text === undefined ? undefined : parseQuantity(text);
  };
  let kept: Quantity | undefined;
  let most: Quantity | undefined;
  for (const container of objectsAt(spec, "initContainers")) {
    const beside = sum(kept, asked(container));
    if (textAt(container, "restartPolicy") === "Always") kept = beside;
    if (beside && (!most || compareQuantities(beside, most) > 0)) most = beside;
  }
  const all = objectsAt(spec, "containers").map(asked).reduce(sum, undefined);
  const running = sum(all, kept);
  return running && most && compareQuantities(most, running) > 0 ? most : (running ?? most);
}

function sum(a: Quantity | undefined, b: Quantity | undefined): Quantity | undefined {
  return a && b ? addQuantities(a, b) : (a ?? b);
}
