/** What every namespace has: the account `default`, and the certificate programs in it trust the API server by. */
import type { KubeObject } from "@mecha/kinds";

export const accountName = "default";
export const authorityName = "kube-root-ca.crt";

export interface Present {
  readonly account: boolean;
  readonly authority: KubeObject | undefined;
}

export type DefaultsAction = { readonly do: "makeAccount" } | { readonly do: "makeAuthority" } | { readonly do: "mendAuthority" };

/** @param authority PEM. */
export function planDefaults(namespace: KubeObject, present: Present, authority: string): readonly DefaultsAction[] {
  if (namespace.metadata.deletionTimestamp !== undefined) return [];
  const actions: DefaultsAction[] = [];
  if (!present.account) actions.push({ do: "makeAccount" });
  if (!present.authority) actions.push({ do: "makeAuthority" });
  else if ((present.authority["data"] as Record<string, string> | undefined)?.["ca.crt"] !== authority)
    actions.push({ do: "mendAuthority" });
  return actions;
}
