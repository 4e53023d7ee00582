/**
 * Restarts what reads a ConfigMap or a Secret at its start, when that changed. Level-triggered: each look compares the hash of the data with the hash each
 * Pod (or the workload's template) was started with, so changes while the operator was down are seen as well.
 */
import {
  idOf,
  isReason,
  type KubeObject,
  type ObjectId,
  type OperatorContext,
  type ReconcileContext,
  resourceRef,
  runOperator,
  setCondition,
  watchFor,
} from "mecha-operator";
import { type ConfigWatch, hashAnnotation, hashOf, matches, planPods, type Sources } from "./plan.ts";

const configWatches = resourceRef("ops.example.dev/v1", "ConfigWatch", { plural: "configwatches" });
const configMaps = resourceRef("v1", "ConfigMap");
const secrets = resourceRef("v1", "Secret");
const pods = resourceRef("v1", "Pod");

await runOperator({
  name: "config-watch",
  description: "restarts Pods whose ConfigMap or Secret changed",
  setup({ client, manager, events }) {
    const watches = manager.informer(configWatches);
    const allPods = manager.informer(pods);
    const sources = { ConfigMap: manager.informer(configMaps), Secret: manager.informer(secrets) };
    const idsWhere = (concerns: (watch: ConfigWatch) => boolean) => (object: KubeObject) =>
      (watches.list(object.metadata.namespace) as readonly ConfigWatch[]).filter(concerns).map(idOf);

    manager.add({
      name: "config-watch",
      watches: [
        watchFor(configWatches),
        { resource: configMaps, keysOf: (map) => idsWhere(({ spec }) => spec.configMaps?.includes(map.metadata.name) ?? false)(map) },
        { resource: secrets, keysOf: (secret) => idsWhere(({ spec }) => spec.secrets?.includes(secret.metadata.name) ?? false)(secret) },
        { resource: pods, keysOf: (pod) => idsWhere(({ spec }) => spec.podLabels !== undefined && matches(spec.podLabels, pod))(pod) },
      ],
      async reconcile(id, context) {
        const watch = watches.get(id) as ConfigWatch | undefined;
        if (!watch || watch.metadata.deletionTimestamp !== undefined) return undefined;
        const found: Sources = new Map([
          ...(watch.spec.configMaps ?? []).map((name) => [`ConfigMap/${name}`, sources.ConfigMap.get({ ...id, name })] as const),
          ...(watch.spec.secrets ?? []).map((name) => [`Secret/${name}`, sources.Secret.get({ ...id, name })] as const),
        ]);
        const hash = hashOf(found);
        const { workload, podLabels } = watch.spec;
        const restarted = workload
          ? await restartWorkload(client, { ...id, name: workload.name }, workload.kind, hash, context)
          : await restartPods(
              client,
              allPods.list(id.namespace).filter((pod) => matches(podLabels ?? {}, pod)),
              hash,
              context,
            );
        if (restarted.length > 0)
          await events.record(watch, "Normal", "Restarted", `restarted ${restarted.join(", ")}: the configuration changed`);
        await report(client, watch, hash, found, context);
        return undefined;
      },
    });
  },
});

type Client = OperatorContext["client"];

/** The template's annotation changes, so the workload's own controller replaces its Pods. Nothing happens when it is the same already. */
async function restartWorkload(client: Client, id: ObjectId, kind: string, hash: string, { signal }: ReconcileContext): Promise<string[]> {
  const resource = resourceRef("apps/v1", kind);
  const workload = await client.find(resource, id, signal);
  const template = (workload?.["spec"] as { readonly template?: KubeObject } | undefined)?.template;
  if (!workload || template?.metadata.annotations?.[hashAnnotation] === hash) return [];
  const known = template?.metadata.annotations?.[hashAnnotation] !== undefined;
  const patch = { spec: { template: { metadata: { annotations: { [hashAnnotation]: hash } } } } };
  await client.patch(resource, id, "merge", patch, { signal });
  return known ? [`${kind} ${id.name}`] : [];
}

async function restartPods(client: Client, found: readonly KubeObject[], hash: string, { signal }: ReconcileContext): Promise<string[]> {
  const { restart, adopt } = planPods(found, hash);
  for (const pod of adopt)
    await ifThere(client.patch(pods, idOf(pod), "merge", { metadata: { annotations: { [hashAnnotation]: hash } } }, { signal }));
  for (const pod of restart) {
    const { uid } = pod.metadata;
    await ifThere(client.delete(pods, idOf(pod), uid === undefined ? {} : { preconditions: { uid } }, signal));
  }
  return restart.map(({ metadata }) => `Pod ${metadata.name}`);
}

/** Somebody else may have deleted it, or made another of its name: the next look shows. */
async function ifThere(request: Promise<unknown>): Promise<void> {
  await request.catch((error: unknown) => {
    if (!isReason(error, "NotFound") && !isReason(error, "Conflict")) throw error;
  });
}

async function report(
  client: Client,
  watch: ConfigWatch,
  hash: string,
  found: Sources,
  { signal, nowMs }: ReconcileContext,
): Promise<void> {
  const missing = [...found].filter(([, object]) => !object).map(([name]) => name);
  const observedGeneration = watch.metadata.generation ?? 0;
  const conditions = setCondition(
    watch.status?.conditions,
    missing.length === 0
      ? { type: "Ready", status: "True", reason: "Watching", message: "every source is there", observedGeneration }
      : { type: "Ready", status: "False", reason: "SourceMissing", message: `not there: ${missing.join(", ")}`, observedGeneration },
    nowMs,
  );
  const status = { hash, observedGeneration, conditions };
  if (JSON.stringify(status) === JSON.stringify(watch.status)) return;
  await client.patch(configWatches, idOf(watch), "merge", { status }, { subresource: "status", signal });
}
