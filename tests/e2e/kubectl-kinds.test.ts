/** Real kubectls and the built-in kinds: what explain, apply, diff and server-side validation make of our OpenAPI and rules. */
import assert from "node:assert/strict";
import { kubectlSessions } from "../support/kubectl-sessions.ts";

const session = kubectlSessions("kubectl-kinds", 2);

const deployment = (image: string): string => `
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      containers:
        - name: web
          image: ${image}
          ports: [{ containerPort: 80 }]
`;

session("explain says what fields are", async ({ kubectl }) => {
  assert.match(await kubectl.run(["explain", "deployment.spec.replicas"]), /FIELD: replicas <integer>[^]*How many pods are wanted/u);
  const containers = await kubectl.run(["explain", "pods.spec.containers"]);
  assert.match(containers, /FIELD: containers <\[\]Container>/u);
  assert.match(containers, /image\s+<string>\n\s+Image the container is made of/u);
  if (kubectl.minor >= 30)
    // older ones do not show what a field may hold
    assert.match(await kubectl.run(["explain", "pod.spec.containers.imagePullPolicy"]), /ENUM:\n\s+Always\n\s+IfNotPresent\n\s+Never/u);
  assert.match(await kubectl.run(["explain", "cronjob"]), /GROUP:\s+batch[^]*KIND:\s+CronJob[^]*Makes Jobs at given times/u);
});

session("apply creates, leaves alone, and changes; diff shows the change", async ({ at, attempt }) => {
  assert.equal(await at(["apply", "-f", "-"], deployment("nginx:1.26")), "deployment.apps/web created\n");
  assert.equal(await at(["apply", "-f", "-"], deployment("nginx:1.26")), "deployment.apps/web unchanged\n");
  const diff = await attempt(["diff", "-f", "-"], deployment("nginx:1.27"));
  assert.equal(diff.code, 1, diff.output);
  assert.match(diff.stdout, /^-\s+- image: nginx:1\.26$[^]*^\+\s+- image: nginx:1\.27$/mu);
  assert.equal(await at(["apply", "-f", "-"], deployment("nginx:1.27")), "deployment.apps/web configured\n");
  const path =
    "jsonpath={.spec.template.spec.containers[0].image} {.spec.template.spec.containers[0].imagePullPolicy} {.metadata.generation}";
  assert.equal(await at(["get", "deploy", "web", "-o", path]), "nginx:1.27 IfNotPresent 2");
  assert.match(await at(["get", "deploy"]), /^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nweb +0\/1 +0 +0 +\d+s\n$/u);
});

session(
  "the server validates: unknown fields, wrong types, broken rules",
  async ({ at, attempt }) => {
    const unknown = await attempt(["apply", "-f", "-"], deployment("a:1").replace("containers:", "contaners: []\n      containers:"));
    assert.match(unknown.output, /strict decoding error: unknown field "spec\.template\.spec\.contaners"/u);
    const type = await attempt(
      ["apply", "-f", "-"],
      deployment("a:1").replace("spec:\n  selector", "spec:\n  replicas: three\n  selector"),
    );
    assert.match(type.output, /json: cannot unmarshal string into Go struct field DeploymentSpec\.spec\.replicas of type int32/u);
    const rule = await attempt(["apply", "-f", "-"], deployment("a:1").replace("{ app: web } }\n    spec", "{ app: wob } }\n    spec"));
    assert.match(
      rule.output,
      /The Deployment "web" is invalid: spec\.template\.metadata\.labels: Invalid value: \{"app":"wob"\}: `selector` does not match template `labels`/u,
    );
    const dry = await at(["apply", "--dry-run=server", "-f", "-"], deployment("a:1"));
    assert.equal(dry, "deployment.apps/web created (server dry run)\n");
  },
  "newest",
);

session(
  "create with generators: Protobuf bodies from 1.32 on",
  async ({ namespace, at }) => {
    const made = async (...args: string[]): Promise<string> => at(["create", ...args]);
    assert.equal(await made("configmap", "cart", "--from-literal=a=1", "--from-literal=b=ä"), "configmap/cart created\n");
    assert.equal(await made("secret", "generic", "key", "--from-literal=a=1"), "secret/key created\n");
    assert.equal(await made("deployment", "web", "--image=nginx:1.27", "--port=80", "--replicas=2"), "deployment.apps/web created\n");
    assert.equal(await made("service", "clusterip", "web", "--tcp=80:8080"), "service/web created\n");
    assert.equal(await made("job", "once", "--image=busybox:1", "--", "true"), "job.batch/once created\n");
    assert.equal(
      await made("cronjob", "often", "--image=busybox:1", "--schedule=*/5 * * * *", "--", "true"),
      "cronjob.batch/often created\n",
    );
    assert.equal(await made("role", "reader", "--verb=get,list", "--resource=pods"), "role.rbac.authorization.k8s.io/reader created\n");
    assert.equal(
      await made("rolebinding", "reader", "--role=reader", "--user=jo"),
      "rolebinding.rbac.authorization.k8s.io/reader created\n",
    );
    assert.equal(
      await made("poddisruptionbudget", "web", "--selector=app=web", "--min-available=50%"),
      "poddisruptionbudget.policy/web created\n",
    );
    assert.equal(await made("ingress", "web", "--rule=a.b/=web:80"), "ingress.networking.k8s.io/web created\n");
    assert.equal(await made("quota", "most", "--hard=pods=10,cpu=1500m"), "resourcequota/most created\n");
    assert.equal(await made("priorityclass", `p-${namespace}`, "--value=7"), `priorityclass.scheduling.k8s.io/p-${namespace} created\n`);
    assert.equal(await made("serviceaccount", "bot"), "serviceaccount/bot created\n");
    assert.equal(await made("namespace", `${namespace}-two`), `namespace/${namespace}-two created\n`);
    assert.equal(await at(["get", "cm", "cart", "-o", "jsonpath={.data}"]), '{"a":"1","b":"ä"}');
    assert.equal(await at(["get", "quota", "most", "-o", "jsonpath={.spec.hard.cpu}"]), "1500m");
    assert.equal(
      await at([
        "get",
        "deploy",
        "web",
        "-o",
        "jsonpath={.spec.replicas} {.spec.strategy.rollingUpdate.maxSurge} {.spec.template.spec.containers[0].ports[0].protocol}",
      ]),
      "2 25% TCP",
    );
    assert.match(await at(["get", "all"]), /deployment\.apps\/web[^]*cronjob\.batch\/often[^]*job\.batch\/once/u);
  },
  "newest",
);

session(
  "our own kinds are there from the start, explained, defaulted and checked",
  async ({ kubectl, at, attempt }) => {
    const service = (spec: object): string =>
      JSON.stringify({ apiVersion: "cloudstate.io/v1alpha1", kind: "StatefulService", metadata: { name: "cart" }, spec });
    assert.match(
      await kubectl.run(["explain", "statefulservice.spec.storeConfig"]),
      /database\s+<string>\n\s+Database, keyspace or schema/u,
    );
    const spec = { containers: [{ name: "cart", image: "shop/cart" }], storeConfig: { statefulStore: { name: "shop" } } };
    assert.equal(await at(["apply", "-f", "-"], service(spec)), "statefulservice.cloudstate.io/cart created\n");
    assert.equal(await at(["get", "ss", "cart", "-o", "jsonpath={.spec.replicas} {.spec.storeConfig.database}"]), "1 cloudstate");
    assert.equal(await at(["scale", "ss", "cart", "--replicas=3"]), "statefulservice.cloudstate.io/cart scaled\n");
    assert.match(await at(["get", "ss"]), /^NAME +REPLICAS +STATUS +STORE +AGE\ncart +shop +\d+s\n$/u);
    const none = await attempt(["apply", "-f", "-"], service({ containers: [] }));
    assert.match(none.output, /spec\.containers: Invalid value: .*should have at least 1 items/u);
    const two = {
      apiVersion: "cloudstate.io/v1alpha1",
      kind: "StatefulStore",
      metadata: { name: "s" },
      spec: { inMemory: true, embedded: {} },
    };
    const refused = await attempt(["apply", "-f", "-"], JSON.stringify(two));
    assert.match(refused.output, /spec: Invalid value: .*exactly one of inMemory, embedded, postgres, spanner and cassandra must be set/u);
  },
  "newest",
);
