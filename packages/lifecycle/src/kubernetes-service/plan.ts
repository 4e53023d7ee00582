/** The Service `kubernetes` in the namespace `default`: how programs in a cluster find the API server. */
import { ipFamily, type JsonObject, type KubeObject, sameJson } from "@mecha/kinds";

export const serviceId = { namespace: "default", name: "kubernetes" };
/** Under which the API server is reached through the Service. */
const servicePort = 443;

/** Where the API server is. */
export interface ApiServerPlace {
  /** Address of the Service: the first of the Services' range. */
  readonly serviceAddress: string;
  /** IP address the server is reached at. */
  readonly address: string;
  readonly port: number;
}

export interface Present {
  readonly service: KubeObject | undefined;
  readonly endpoints: KubeObject | undefined;
  readonly slice: KubeObject | undefined;
}

export type ServiceAction = { readonly do: "create" | "replace"; readonly what: keyof Present; readonly object: KubeObject };

/** A Service that is there stays as it is; where the server is reached is always what it is now. */
export function planService({ service, endpoints, slice }: Present, place: ApiServerPlace): readonly ServiceAction[] {
  const actions: ServiceAction[] = [];
  if (!service) actions.push({ do: "create", what: "service", object: serviceOf(place) });
  const wanted = { endpoints: endpointsOf(place), slice: sliceOf(place) };
  if (!endpoints) actions.push({ do: "create", what: "endpoints", object: wanted.endpoints });
  else if (!sameJson(endpoints["subsets"], wanted.endpoints["subsets"]))
    actions.push({ do: "replace", what: "endpoints", object: over(endpoints, wanted.endpoints) });
  if (!slice) actions.push({ do: "create", what: "slice", object: wanted.slice });
  else if (!sameJson([slice["endpoints"], slice["ports"]], [wanted.slice["endpoints"], wanted.slice["ports"]]))
    actions.push({ do: "replace", what: "slice", object: over(slice, wanted.slice) });
  return actions;
}

/** What is wanted, under the identity of what is there. */
function over({ metadata }: KubeObject, wanted: KubeObject): KubeObject {
  return { ...wanted, metadata: { ...metadata, labels: { ...metadata.labels, ...wanted.metadata.labels } } };
}

function serviceOf({ serviceAddress, port }: ApiServerPlace): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { ...serviceId, labels: { component: "apiserver", provider: "kubernetes" } },
    spec: {
      clusterIP: serviceAddress,
      ipFamilyPolicy: "SingleStack",
      ports: [{ name: "https", port: servicePort, protocol: "TCP", targetPort: port }],
      sessionAffinity: "None",
      type: "ClusterIP",
    },
  };
}

const portsOf = (port: number): readonly JsonObject[] => [{ name: "https", port, protocol: "TCP" }];

function endpointsOf({ address, port }: ApiServerPlace): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Endpoints",
    metadata: { ...serviceId, labels: { "endpointslice.kubernetes.io/skip-mirror": "true" } },
    subsets: [{ addresses: [{ ip: address }], ports: portsOf(port) }],
  };
}

function sliceOf({ address, port }: ApiServerPlace): KubeObject {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { ...serviceId, labels: { "kubernetes.io/service-name": serviceId.name } },
    addressType: ipFamily(address),
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
    ports: portsOf(port),
  };
}
