/** The kubeconfig of one server: address, authority, client certificate, all in the file. Pure. */
import { stringify } from "yaml";

export interface KubeconfigFacts {
  /** `https://127.0.0.1:6443` */
  readonly server: string;
  /** PEM. */
  readonly authority: string;
  readonly client: { readonly key: string; readonly certificate: string };
  /** Of cluster, user and context. */
  readonly name: string;
}

export function kubeconfig({ server, authority, client, name }: KubeconfigFacts): string {
  return stringify(
    {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name, cluster: { server, "certificate-authority-data": base64(authority) } }],
      users: [{ name, user: { "client-certificate-data": base64(client.certificate), "client-key-data": base64(client.key) } }],
      contexts: [{ name, context: { cluster: name, user: name, namespace: "default" } }],
      "current-context": name,
    },
    { lineWidth: 0 },
  );
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
