/** Conditions of a status, kept as the API's conventions ask. */

export interface Condition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  /** One CamelCase word for programs. */
  readonly reason: string;
  /** For people. */
  readonly message: string;
  /** Generation of the object this was found for. */
  readonly observedGeneration?: number;
  /** RFC 3339. When `status` last changed. */
  readonly lastTransitionTime: string;
}

/** `conditions` with `condition` in place of the one of its type. Its time is the old one's unless the status flipped. */
export function setCondition(
  conditions: readonly Condition[] | undefined,
  condition: Omit<Condition, "lastTransitionTime">,
  nowMs: number,
): Condition[] {
  const all = conditions ?? [];
  const old = all.find(({ type }) => type === condition.type);
  const now = new Date(nowMs).toISOString().replace(/\.\d{3}Z$/, "Z");
  const set = { ...condition, lastTransitionTime: old?.status === condition.status ? old.lastTransitionTime : now };
  return old ? all.map((one) => (one === old ? set : one)) : [...all, set];
}
