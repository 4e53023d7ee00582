import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject, OwnerReference } from "@mecha/kinds";
import { type GarbageAction, type OwnerFate, planGarbage } from "./plan.ts";

const owner = (uid: string, blockOwnerDeletion?: boolean): OwnerReference => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  name: uid,
  uid,
  ...(blockOwnerDeletion !== undefined && { blockOwnerDeletion }),
});

interface Shape {
  readonly uid?: string;
  readonly owners?: readonly OwnerReference[];
  readonly finalizers?: readonly string[];
  readonly going?: boolean;
}

function object({ uid = "it", owners = [], finalizers = [], going = false }: Shape = {}): KubeObject {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: {
      name: uid,
      uid,
      ownerReferences: [...owners],
      finalizers: [...finalizers],
      ...(going && { deletionTimestamp: "2026-01-01T00:00:00Z" }),
    },
  };
}

const blocker = object({ uid: "d", owners: [owner("it", true)] });
const loose = object({ uid: "e", owners: [owner("it")] });

const table: readonly {
  readonly name: string;
  readonly object: KubeObject;
  readonly fates?: Readonly<Record<string, OwnerFate>>;
  readonly dependents?: readonly KubeObject[];
  readonly action: GarbageAction | undefined;
}[] = [
  { name: "an object without owners stays", object: object(), action: undefined },
  { name: "an object whose owner is there stays", object: object({ owners: [owner("a")] }), fates: { a: "present" }, action: undefined },
  {
    name: "an object whose only owner is gone goes",
    object: object({ owners: [owner("a")] }),
    fates: { a: "absent" },
    action: { do: "delete", propagationPolicy: "Background" },
  },
  {
    name: "with two owners it forgets the one that is gone",
    object: object({ owners: [owner("a"), owner("b")] }),
    fates: { a: "absent", b: "present" },
    action: { do: "dropOwners", uids: ["a"] },
  },
  {
    name: "and the one that goes in the foreground, rather than go with it",
    object: object({ owners: [owner("a"), owner("b")] }),
    fates: { a: "waiting", b: "present" },
    action: { do: "dropOwners", uids: ["a"] },
  },
  {
    name: "what an owner waits for goes",
    object: object({ owners: [owner("a")] }),
    fates: { a: "waiting" },
    action: { do: "delete", propagationPolicy: "Background" },
  },
  {
    name: "and after its own dependents, if it has some",
    object: object({ owners: [owner("a")] }),
    fates: { a: "waiting" },
    dependents: [loose],
    action: { do: "delete", propagationPolicy: "Foreground" },
  },
  {
    name: "a finalizer put there beforehand decides how it goes",
    object: object({ owners: [owner("a")], finalizers: ["orphan"] }),
    fates: { a: "absent" },
    action: { do: "delete", propagationPolicy: "Orphan" },
  },
  {
    name: "what is going already is not hurried",
    object: object({ owners: [owner("a")], going: true, finalizers: ["someone.example/x"] }),
    fates: { a: "absent" },
    action: undefined,
  },
  {
    name: "an owner going in the foreground asks its blocking dependents to go",
    object: object({ going: true, finalizers: ["foregroundDeletion"] }),
    dependents: [blocker, loose],
    action: { do: "lookAt", dependents: [blocker] },
  },
  {
    name: "and is let go when none blocks it",
    object: object({ going: true, finalizers: ["foregroundDeletion"] }),
    dependents: [loose],
    action: { do: "removeFinalizer", finalizer: "foregroundDeletion" },
  },
  {
    name: "an owner that orphans is let go once its dependents forgot it",
    object: object({ going: true, finalizers: ["orphan"] }),
    dependents: [blocker],
    action: { do: "orphan", dependents: [blocker] },
  },
];

for (const row of table) {
  test(row.name, () => {
    assert.deepEqual(
      planGarbage(row.object, (uid) => row.fates?.[uid] ?? "present", row.dependents ?? []),
      row.action,
    );
  });
}
