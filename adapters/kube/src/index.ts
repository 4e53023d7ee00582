/** A Kubernetes API server far away: how to reach it (kubeconfig, or the Pod's own account), and requests over HTTPS. */
export { type ClusterAccess, type Credentials, inClusterAccess, readKubeconfig, type ReadKubeconfigOptions } from "./access.ts";
export { defaultAccess, type DefaultAccessOptions } from "./default-access.ts";
export { openHttpsTransport, type HttpsTransportOptions } from "./transport.ts";
