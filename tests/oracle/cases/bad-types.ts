/** Values of another type than the field's, where Go says the place in names of its own: structs that others embed are in it. */
import type { Case } from "../session.ts";

const pod = (spec: object): object => ({ apiVersion: "v1", kind: "Pod", spec: { containers: [{ name: "c", image: "i" }], ...spec } });
const container = (more: object): object => pod({ containers: [{ name: "c", image: "i", ...more }] });
const volume = (source: object): object => pod({ volumes: [{ name: "v", ...source }] });
const persistent = (source: object): object => ({ apiVersion: "v1", kind: "PersistentVolume", spec: source });
const ingress = (http: unknown): object => ({ apiVersion: "networking.k8s.io/v1", kind: "Ingress", spec: { rules: [{ http }] } });

const bodies: Readonly<Record<string, readonly [path: string, body: object]>> = {
  "mode of a volume": ["pods", volume({ configMap: { name: "x", defaultMode: "0644" } })],
  "name of a volume's ConfigMap": ["pods", volume({ configMap: { name: 5 } })],
  "source of a volume": ["pods", volume({ configMap: 5 })],
  "list in a volume": ["pods", volume({ projected: { sources: [{ secret: { items: [{ mode: "x" }] } }] } })],
  "path of a probe": ["pods", container({ livenessProbe: { httpGet: { path: 5 } } })],
  "command of a probe": ["pods", container({ livenessProbe: { exec: { command: "x" } } })],
  "handler of a probe": ["pods", container({ livenessProbe: { httpGet: 7 } })],
  "name in a variable": ["pods", container({ env: [{ name: "A", valueFrom: { configMapKeyRef: { name: 5, key: "x" } } }] })],
  "name of a source of variables": ["pods", container({ envFrom: [{ configMapRef: { name: 7 } }] })],
  "image of an ephemeral container": ["pods", pod({ ephemeralContainers: [{ name: "c", image: 5 }] })],
  "port of an ephemeral container": ["pods", pod({ ephemeralContainers: [{ name: "c", ports: [{ containerPort: "x" }] }] })],
  "source of a persistent volume": ["/api/v1/persistentvolumes", persistent({ hostPath: [] })],
  "path of a persistent volume": ["/api/v1/persistentvolumes", persistent({ hostPath: { path: 5 } })],
  "rule of an Ingress": ["/apis/networking.k8s.io/v1/namespaces/default/ingresses", ingress({ paths: 5 })],
  "path of an Ingress": ["/apis/networking.k8s.io/v1/namespaces/default/ingresses", ingress({ paths: [{ path: 5 }] })],
};

export const badTypes: Case = {
  name: "errors/types",
  async run(session) {
    const namespace = await session.stage();
    for (const [label, [path, body]] of Object.entries(bodies))
      await session.post(
        path.startsWith("/") ? path : `/api/v1/namespaces/${namespace}/${path}`,
        { ...body, metadata: { name: "a" } },
        { label },
      );
  },
};
