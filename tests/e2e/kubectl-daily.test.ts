/** What people type into kubectl from day to day, beyond create, get and apply; and what it says where nothing here stands behind it. */
import assert from "node:assert/strict";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { kubectlSessions, type Place } from "../support/kubectl-sessions.ts";

const session = kubectlSessions("kubectl-daily", 2);
const deployment = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", labels: { app: "web" } },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: "web" } },
    template: {
      metadata: { labels: { app: "web" } },
      spec: { containers: [{ name: "web", image: "nginx:1", ports: [{ containerPort: 80 }] }] },
    },
  },
};
const configMap = (name: string, labels: Record<string, string> = {}): object => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, labels },
});
const list = (...items: readonly object[]): object => ({ apiVersion: "v1", kind: "List", items });

/** An editor that runs a line of shell on the file, `$1`. */
async function editing({ kubectl, home }: Place, name: string, line: string): Promise<Place["kubectl"]> {
  const path = join(home, name);
  await writeFile(path, `#!/bin/sh\n${line}\n`);
  await chmod(path, 0o755);
  return kubectl.with({ KUBE_EDITOR: path });
}

session("edit: a change, none, one beside somebody else's, one that is refused", async (place) => {
  const { kubectl, namespace, at } = place;
  const here = ["-n", namespace];
  const edit = ["edit", "deploy", "web"];
  await at(["create", "-f", "-"], deployment);
  const second = await editing(place, "second", 'sed -i "s/nginx:1/nginx:2/" "$1"');
  assert.equal(await second.run([...here, ...edit]), "deployment.apps/web edited\n");
  assert.match((await kubectl.with({ KUBE_EDITOR: "true" }).try([...here, ...edit])).output, /^Edit cancelled, no changes made/u);
  // Somebody annotates it while the editor is open: both changes stay.
  const meanwhile = await editing(
    place,
    "meanwhile",
    `curl -sk --cert "$CERT" --key "$KEY" -X PATCH -H 'content-type: application/merge-patch+json' -d '{"metadata":{"annotations":{"by":"other"}}}' "$URL" >/dev/null\nsed -i "s/nginx:2/nginx:3/" "$1"`,
  );
  const folder = join(place.api.kubeconfig, "..");
  const both = meanwhile.with({
    CERT: join(folder, "admin.crt"),
    KEY: join(folder, "admin.key"),
    URL: `${place.api.url}/apis/apps/v1/namespaces/${namespace}/deployments/web`,
  });
  assert.equal(await both.run([...here, ...edit]), "deployment.apps/web edited\n");
  const path = "jsonpath={.spec.template.spec.containers[0].image} {.metadata.annotations.by}";
  assert.equal(await at(["get", "deploy", "web", "-o", path]), "nginx:3 other");
  // It comes back with the reason; an editor that then changes nothing ends it.
  const wrong = await editing(place, "wrong", '[ -e "$0.once" ] && exit 0; touch "$0.once"; sed -i "s/replicas: 2/replicas: -2/" "$1"');
  assert.match(
    (await wrong.try([...here, ...edit])).output,
    /deployments\.apps "web" is invalid[\s\S]*Edit cancelled, no valid changes were saved/u,
  );
});

session("rollouts: asked for, paused, resumed; nothing rolls out, and kubectl says so", async ({ at, wrong }) => {
  await at(["create", "-f", "-"], deployment);
  assert.match(
    await wrong(["rollout", "status", "deploy/web", "--timeout=1s"]),
    /^Waiting for deployment spec update to be observed\.\.\./u,
  );
  assert.match(await wrong(["rollout", "undo", "deploy/web"]), /no rollout history found for deployment "web"/u);
  assert.match(await at(["rollout", "history", "deploy/web"]), /^deployment\.apps\/web/u);
  assert.equal(await at(["rollout", "restart", "deploy/web"]), "deployment.apps/web restarted\n");
  assert.equal(await at(["rollout", "pause", "deploy/web"]), "deployment.apps/web paused\n");
  assert.match(await wrong(["rollout", "pause", "deploy/web"]), /is already paused/u);
  assert.equal(await at(["rollout", "resume", "deploy/web"]), "deployment.apps/web resumed\n");
  assert.match(
    await at(["get", "deploy", "web", "-o", "jsonpath={.metadata.generation} {.spec.template.metadata.annotations}"]),
    /^4 .*restartedAt/u,
  );
});

session("set, label, patch of subresources, scale, autoscale", async ({ at, wrong }) => {
  await at(["create", "-f", "-"], deployment);
  assert.match(await at(["set", "resources", "deploy", "web", "--limits=cpu=200m"]), /resource requirements updated/u);
  assert.match(await at(["set", "serviceaccount", "deploy", "web", "bot"]), /serviceaccount updated/u);
  assert.match(await wrong(["set", "image", "deploy/web", "nope=x"]), /unable to find container named "nope"/u);
  await at(["label", "deploy", "web", "tier=front"]);
  assert.match(await wrong(["label", "deploy", "web", "tier=back"]), /'tier' already has a value \(front\), and --overwrite is false/u);
  assert.match(await at(["label", "deploy", "web", "tier-"]), /unlabeled/u);
  assert.match(await at(["patch", "deploy", "web", "--subresource=status", "--type=merge", "-p", '{"status":{"replicas":3}}']), /patched/u);
  assert.match(await at(["patch", "deploy", "web", "--subresource=scale", "--type=merge", "-p", '{"spec":{"replicas":6}}']), /patched/u);
  assert.match(await at(["get", "deploy", "web", "--subresource=scale"]), /^NAME +DESIRED +AVAILABLE +AGE\nweb +6 +3 +\d+s\n$/u);
  assert.match(
    await wrong(["patch", "deploy", "web", "--type=merge", "-p", '{"spec":{"replicas":"x"}}']),
    /^The request is invalid: patch: Invalid value: "\{/u,
  );
  assert.match(await wrong(["scale", "deploy", "web", "--current-replicas=9", "--replicas=2"]), /Expected replicas to be 9, was 6/u);
  assert.equal(
    await at(["autoscale", "deploy", "web", "--min=1", "--max=3", "--cpu-percent=60"]),
    "horizontalpodautoscaler.autoscaling/web autoscaled\n",
  );
  assert.match(await at(["get", "hpa", "web"]), /web +Deployment\/web +(?:cpu: )?<unknown>\/60% +1 +3 +0/u);
});

session(
  "expose and services: addresses and ports are allocated, kept and refused",
  async ({ kubectl, at, wrong }) => {
    const address = `10.97.0.${kubectl.minor}`;
    const port = 31_000 + kubectl.minor;
    await at(["create", "-f", "-"], deployment);
    assert.equal(await at(["expose", "deploy", "web", "--port=80", "--target-port=8080"]), "service/web exposed\n");
    assert.match(await at(["get", "svc", "web"]), /web +ClusterIP +10\.\d+\.\d+\.\d+ +<none> +80\/TCP +\d+s\n$/u);
    assert.match(await wrong(["expose", "deploy", "web", "--port=80"]), /services "web" already exists/u);
    await at(["expose", "deploy", "web", "--port=80", "--name=outside", "--type=NodePort"]);
    assert.match(await at(["get", "svc", "outside"]), /NodePort +10\.\S+ +<none> +80:3[0-2]\d{3}\/TCP/u);
    await at(["expose", "deploy", "web", "--port=80", "--name=head", "--cluster-ip=None"]);
    await at(["create", "service", "clusterip", "c1", "--tcp=80", `--clusterip=${address}`]);
    assert.match(
      await wrong(["create", "service", "clusterip", "c2", "--tcp=80", `--clusterip=${address}`]),
      /provided IP is already allocated/u,
    );
    await at(["delete", "svc", "c1"]);
    await at(["create", "service", "clusterip", "c2", "--tcp=80", `--clusterip=${address}`]);
    await at(["create", "service", "nodeport", "n1", "--tcp=80", `--node-port=${port}`]);
    assert.match(
      await wrong(["create", "service", "nodeport", "n2", "--tcp=80", `--node-port=${port}`]),
      /provided port is already allocated/u,
    );
    assert.match(
      await wrong(["create", "service", "nodeport", "n2", "--tcp=80", "--node-port=99"]),
      /The range of valid ports is 30000-32767/u,
    );
    assert.match(await at(["get", "svc", "kubernetes", "-n", "default"]), /kubernetes +ClusterIP +10\.96\.0\.1 +<none> +443\/TCP/u);
    assert.match(await at(["get", "endpointslices", "-n", "default"]), /kubernetes +IPv4 +\d+ +127\.0\.0\.1/u);
    assert.match(await at(["describe", "svc", "outside"]), /Selector: +app=web[\s\S]*NodePort:/u);
  },
  "newest",
);

session(
  "pods are kept and not run: what needs a running one says so",
  async ({ at, wrong }) => {
    assert.equal(await at(["run", "one", "--image=nginx"]), "pod/one created\n");
    const reason = /pod one does not have a host assigned: this server keeps Pods and runs none/u;
    for (const args of [
      ["logs", "one"],
      ["exec", "one", "--", "ls"],
      ["attach", "one"],
      ["cp", "one:/etc/hosts", "hosts"],
    ])
      assert.match(await wrong(args), reason, args.join(" "));
    assert.match(
      await wrong(["port-forward", "one", "8080:80"]),
      /unable to forward port because pod is not running\. Current status=Pending/u,
    );
    assert.match(await wrong(["top", "pods"]), /Metrics API not available/u);
    assert.match(await wrong(["certificate", "approve", "x"]), /the server doesn't have a resource type "certificatesigningrequests"/u);
    assert.match(await at(["describe", "pod", "one"]), /Status: +Pending[\s\S]*QoS Class: +BestEffort/u);
    assert.match(await at(["delete", "pod", "one", "--grace-period=0", "--force"]), /force deleted/u);
  },
  "newest",
);

session(
  "nodes: cordon, taint, drain",
  async ({ kubectl, at }) => {
    const node = `n${kubectl.minor}`;
    await at(["create", "-f", "-"], { apiVersion: "v1", kind: "Node", metadata: { name: node } });
    assert.equal(await at(["cordon", node]), `node/${node} cordoned\n`);
    assert.match(await at(["get", "node", node]), /Unknown,SchedulingDisabled|NotReady,SchedulingDisabled/u);
    assert.match(await at(["taint", "node", node, "a=b:NoSchedule"]), /tainted/u);
    assert.match(await at(["taint", "node", node, "a-"]), /untainted/u);
    assert.match(await at(["drain", node, "--ignore-daemonsets"]), /drained/u);
    assert.equal(await at(["uncordon", node]), `node/${node} uncordoned\n`);
  },
  "newest",
);

session("wait, prune, replace, cascades, last applied", async ({ at, wrong, attempt }) => {
  await at(["apply", "-f", "-"], deployment);
  assert.match(await at(["wait", "--for=jsonpath={.spec.replicas}=2", "deploy/web", "--timeout=5s"]), /condition met/u);
  assert.match(await wrong(["wait", "--for=condition=Available", "deploy/web", "--timeout=1s"]), /timed out waiting for the condition/u);
  assert.match(await at(["apply", "view-last-applied", "deploy", "web"]), /image: nginx:1/u);
  const prune = ["apply", "--prune", "-l", "set=p", "--prune-allowlist=core/v1/ConfigMap", "-f", "-"];
  await at(prune, list(configMap("a", { set: "p" }), configMap("b", { set: "p" })));
  assert.match(await at(prune, configMap("a", { set: "p" })), /configmap\/a unchanged\nconfigmap\/b pruned/u);
  assert.match(await at(["replace", "--force", "-f", "-"], configMap("a")), /configmap "a" deleted[\s\S]*configmap\/a replaced/u);
  assert.match(await wrong(["replace", "-f", "-"], configMap("b")), /configmaps "b" not found/u);
  const owner = await at(["get", "deploy", "web", "-o", "jsonpath={.metadata.uid}"]);
  const owned = (name: string): object => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name, ownerReferences: [{ apiVersion: "apps/v1", kind: "Deployment", name: "web", uid: owner, blockOwnerDeletion: true }] },
  });
  await at(["create", "-f", "-"], owned("child"));
  await at(["delete", "deploy", "web", "--cascade=orphan"]);
  assert.equal(await at(["get", "cm", "child", "-o", "jsonpath={.metadata.ownerReferences}"]), "");
  await at(["create", "-f", "-"], deployment);
  const next = await at(["get", "deploy", "web", "-o", "jsonpath={.metadata.uid}"]);
  await at(["create", "-f", "-"], JSON.parse(JSON.stringify(owned("heir")).replaceAll(owner, next)));
  await at(["delete", "deploy", "web", "--cascade=foreground"]);
  assert.match((await attempt(["get", "cm", "heir"])).output, /not found/u);
});

session(
  "who may do what, what there is, and the words for what is not there",
  async ({ kubectl, at, wrong }) => {
    const rbac = "rbac.authorization.k8s.io";
    const rules = [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }];
    const metadata = { name: `reader-${kubectl.minor}` };
    const role = { apiVersion: `${rbac}/v1`, kind: "ClusterRole", metadata, rules };
    const binding = {
      apiVersion: `${rbac}/v1`,
      kind: "ClusterRoleBinding",
      metadata,
      roleRef: { apiGroup: rbac, kind: "ClusterRole", name: metadata.name },
      subjects: [{ apiGroup: rbac, kind: "User", name: `jo${kubectl.minor}` }],
    };
    assert.match(
      await at(["auth", "reconcile", "-f", "-"], list(role, binding)),
      /clusterrole\S* reconciled[\s\S]*clusterrolebinding\S* reconciled/u,
    );
    assert.match(await at(["auth", "can-i", "--list", "--as", `jo${kubectl.minor}`]), /pods +\[\] +\[\] +\[get\]/u);
    assert.match(
      await at(["api-resources", "--api-group=apps", "--no-headers"]),
      /^controllerrevisions[\s\S]*deployments +deploy +apps\/v1 +true +Deployment/u,
    );
    assert.match(await at(["api-versions"]), /^autoscaling\/v1\nautoscaling\/v2$/mu);
    assert.match(await at(["cluster-info"]), /Kubernetes control plane.* is running at.*https:\/\/127\.0\.0\.1/u);
    assert.match(await at(["version"]), /Server Version: v1\.36\.4/u);
    assert.equal(await at(["get", "--raw", "/readyz"]), "ok");
    assert.match(
      await at(["explain", "deployment.spec.strategy", "--recursive"]),
      /rollingUpdate\s+<RollingUpdateDeployment>\n +maxSurge/u,
    );
    assert.match(await wrong(["get", "nope"]), /the server doesn't have a resource type "nope"/u);
    assert.match(await wrong(["get", "cm", "-l", "a in"]), /unable to parse requirement: found '' expected: '\('/u);
    assert.match(await wrong(["get", "pods", "--field-selector=nope=1"]), /field label not supported: nope/u);
    assert.match(
      (await at(["config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}"])).trim(),
      /^https:\/\/127\.0\.0\.1:\d+$/u,
    );
    await at(["events"]);
  },
  "newest",
);
