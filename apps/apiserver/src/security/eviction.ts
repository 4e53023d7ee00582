/** Evicting a Pod (`kubectl drain`): a delete that disruption budgets may refuse. */
import type { JsonObject, KubeObject } from "@mecha/kinds";
import { selectorMatches } from "@mecha/kinds";
import { ApiClient, idOf, inProcessTransport, type KubeServer, type SpecialCall, StatusError } from "@mecha/machinery";

const pods = { apiVersion: "v1", kind: "Pod", plural: "pods", namespaced: true } as const;
/** Seconds after which asking again makes sense; what the real server says. */
const retryAfterSeconds = 10;

interface Budget {
  readonly spec?: { readonly selector?: JsonObject };
  readonly status?: { readonly disruptionsAllowed?: number };
}

export function evict(server: () => KubeServer): (call: SpecialCall) => Promise<JsonObject> {
  return async ({ caller, namespace, of, body, dryRun }) => {
    if (!of) throw new StatusError("NotFound", "there is no such Pod");
    checkName(body, of);
    checkBudgets(server().objects("policy/poddisruptionbudgets", namespace), of);
    const options = (body["deleteOptions"] ?? {}) as { readonly gracePeriodSeconds?: number; readonly dryRun?: readonly string[] };
    if (!dryRun && !(options.dryRun ?? []).includes("All")) {
      const client = new ApiClient(inProcessTransport(server(), caller), { fieldManager: caller.name });
      const { uid } = of.metadata;
      const { gracePeriodSeconds } = options;
      await client.delete(pods, idOf(of), {
        ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
        ...(uid !== undefined && { preconditions: { uid } }),
      });
    }
    return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 };
  };
}

/** @throws StatusError BadRequest when the Eviction names another Pod. */
function checkName({ metadata }: JsonObject, { metadata: { name } }: KubeObject): void {
  const said = (metadata as { readonly name?: unknown } | null | undefined)?.name;
  if (typeof said === "string" && said !== "" && said !== name)
    throw new StatusError("BadRequest", "name in URL does not match name in Eviction object");
}

/** @throws StatusError TooManyRequests when a budget allows no disruption now. Pods that have ended disrupt nobody. */
function checkBudgets(budgets: Iterable<KubeObject>, pod: KubeObject): void {
  const { phase } = (pod["status"] ?? {}) as { readonly phase?: string };
  if (phase === "Succeeded" || phase === "Failed" || phase === "Pending") return;
  for (const object of budgets) {
    const { spec, status } = object as unknown as Budget;
    if (!spec?.selector || !selectorMatches(spec.selector, pod.metadata.labels ?? {})) continue;
    if ((status?.disruptionsAllowed ?? 0) > 0) continue;
    throw new StatusError("TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.", {
      causes: [{ reason: "DisruptionBudget", message: `The disruption budget ${object.metadata.name} allows no disruption now` }],
      retryAfterSeconds,
    });
  }
}
