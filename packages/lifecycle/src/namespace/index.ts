/** The namespace controller: a namespace that is deleted goes when everything in it has gone. */
import { type ApiClient, type ControllerSpec, isReason, watchFor } from "@mecha/machinery";
import { applyNamespace, emptyNamespace, namespaces } from "./apply.ts";
import { isTerminating, planNamespace } from "./plan.ts";

/** Between two looks at a namespace whose contents wait for finalizers or a grace period. */
const lookAgainMs = 1_000;

export function namespaceController(client: ApiClient): ControllerSpec {
  return {
    name: "namespace",
    watches: [watchFor(namespaces)],
    workers: 2,
    async reconcile(id, { signal, nowMs }) {
      const namespace = await client.find(namespaces, id, signal);
      if (!namespace || !isTerminating(namespace)) return undefined;
      const contents = await emptyNamespace(client, id.name, signal);
      const plan = planNamespace(namespace, contents, nowMs);
      await applyNamespace(client, namespace, plan, signal).catch((error: unknown) => {
        if (!isReason(error, "NotFound")) throw error;
      });
      return plan.do === "wait" ? { requeueAfterMs: lookAgainMs } : undefined;
    },
  };
}
