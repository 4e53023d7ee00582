/**
 * Who may import whom (DESIGN §3, ARCHITECTURE.md). Imports point downwards only:
 *   apps → adapters, dialects → packages
 *   packages: kit < schedule < wire < kinds < machinery < state < networking < binding < lifecycle
 * Test files may look further: at contract suites, at the reference adapter, at test tools.
 */
const order = ["kit", "schedule", "wire", "kinds", "machinery", "state", "networking", "binding", "lifecycle"];
const test = "(\\.test\\.ts$|/testing\\.ts$|/testing/|/contract/|/fuzz/)";
const upward = (name) => {
  const above = order.slice(order.indexOf(name) + 1);
  return {
    name: `packages-${name}-looks-down`,
    severity: "error",
    comment: `packages/${name} may import only what is left of it in ${order.join(" < ")}.`,
    from: { path: `^packages/${name}/` },
    to: { path: `^packages/(${above.join("|")})/` },
  };
};

/** Vendor packages each folder owns. Everything else is refused (rule vendor-only-where-owned). One line per owner. */
const vendors = {
  "packages/schedule": ["croner"], // cron expressions and clock changes: pure, no dependencies of its own
  "packages/wire": ["@bufbuild/protobuf"],
  "packages/state": ["@bufbuild/protobuf"],
  "packages/kinds": ["yaml"],
  "packages/machinery": ["@bufbuild/protobuf", "yaml", "re2js"], // Protobuf and YAML bodies; patterns of CRDs and their rules: pure, no dependencies of their own
  "dialects/[^/]+": ["@bufbuild/protobuf"],
  "apps/mecha": ["@bufbuild/protobuf", "commander", "yaml"],
  "sdk/[^/]+": ["@bufbuild/protobuf"],
  "examples/[^/]+": ["@bufbuild/protobuf", "mecha-sdk", "mecha-operator"],
};
const vendorRules = Object.entries(vendors).map(([folder, names]) => ({
  name: `vendor-only-where-owned`,
  severity: "error",
  comment: `${folder} may use only ${names.join(", ")} from npm: give another package to the adapter that owns it, or list it here with its reason.`,
  from: { path: `^${folder}/`, pathNot: test },
  to: { path: "(^|/)node_modules/", pathNot: names.map((name) => `(^|/)node_modules/${name.replace("/", "\\/")}(/|$)`) },
}));
const noVendorAtAll = {
  name: "vendor-only-where-owned",
  severity: "error",
  comment:
    "This package uses nothing from npm. An adapter owns its vendor's package; a pure library is listed in `vendors` here with its reason.",
  from: { path: "^(packages|dialects)/", pathNot: [test, ...Object.keys(vendors).map((folder) => `^${folder}/`)] },
  to: { path: "(^|/)node_modules/" },
};

module.exports = {
  forbidden: [
    {
      name: "no-circular",
      severity: "error",
      comment:
        "A cycle has no bottom to test from. Move the shared part down, or pass it in. Types that name each other (import type) are not one: they are gone when the code runs.",
      from: {},
      to: { circular: true, viaOnly: { pathNot: "/gen/", dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "packages-are-pure",
      severity: "error",
      comment: "packages/ holds decisions and ports: it imports no adapter, dialect, app or SDK.",
      from: { path: "^packages/", pathNot: test },
      to: { path: "^(adapters|dialects|apps|sdk|examples|conformance|tests|bench|scripts)/" },
    },
    {
      name: "dialects-see-packages-only",
      severity: "error",
      comment: "A dialect translates a protocol to an engine: it imports packages/, never an adapter, an app or the SDK.",
      from: { path: "^dialects/", pathNot: test },
      to: { path: "^(adapters|apps|sdk|examples|conformance|tests|bench|scripts)/" },
    },
    {
      name: "dialects-never-sideways",
      severity: "error",
      comment: "What two dialects share belongs in packages/.",
      from: { path: "^dialects/([^/]+)/" },
      to: { path: "^dialects/", pathNot: "^dialects/$1/" },
    },
    {
      name: "adapters-see-packages-only",
      severity: "error",
      comment: "An adapter implements a port of packages/: it knows no dialect, app or SDK.",
      from: { path: "^adapters/", pathNot: test },
      to: { path: "^(dialects|apps|sdk|examples|conformance|tests|bench|scripts)/" },
    },
    {
      name: "adapters-never-sideways",
      severity: "error",
      comment: "One outside system each. What two adapters share belongs in packages/, or is passed in by the app.",
      from: { path: "^adapters/([^/]+)/", pathNot: test },
      to: { path: "^adapters/", pathNot: "^adapters/$1/" },
    },
    {
      name: "apps-never-sideways",
      severity: "error",
      comment: "An app is one role; only apps/mecha, which composes them, imports other apps.",
      from: { path: "^apps/([^/]+)/", pathNot: "^apps/mecha/" },
      to: { path: "^apps/", pathNot: "^apps/$1/" },
    },
    {
      name: "apps-know-no-tests",
      severity: "error",
      comment: "Product code imports no SDK, example, test or script.",
      from: { path: "^apps/", pathNot: test },
      to: { path: "^(sdk|examples|tests|bench|scripts)/" },
    },
    {
      name: "sdk-stays-small",
      severity: "error",
      comment: "The SDK runs in the user's process: kit, schedule, wire, adapters/net and adapters/host, nothing else of ours.",
      from: { path: "^sdk/", pathNot: [test, "^sdk/operator/"] },
      to: {
        path: "^(packages|adapters|dialects|apps|examples|conformance|tests|bench|scripts)/",
        pathNot: "^(packages/(kit|schedule|wire)|adapters/(net|host))/",
      },
    },
    {
      name: "sdk-stays-small",
      severity: "error",
      comment:
        "The operator SDK is the controller runtime and the way to a cluster: kit, kinds, machinery, adapters/kube and adapters/host.",
      from: { path: "^sdk/operator/", pathNot: test },
      to: {
        path: "^(packages|adapters|dialects|apps|examples|conformance|tests|bench|scripts)/",
        pathNot: "^(packages/(kit|kinds|machinery)|adapters/(kube|host))/",
      },
    },
    {
      name: "conformance-knows-no-app",
      severity: "error",
      comment: "The kits test any implementation from outside: they speak protocols, and import no app, SDK or store of ours.",
      from: { path: "^conformance/", pathNot: test },
      to: { path: "^(apps|sdk|examples|tests|bench|scripts|adapters/(?!net/|host/)|packages/(?!kit/|wire/))" },
    },
    {
      name: "examples-use-what-users-get",
      severity: "error",
      comment: "An example imports the published SDK by its name, as a user would.",
      from: { path: "^examples/", pathNot: test },
      to: { path: "^(packages|adapters|dialects|apps|conformance|tests|bench|scripts)/" },
    },
    {
      name: "enter-through-exports",
      severity: "error",
      comment: "Import a workspace by its name (@mecha/…), so that its exports map says what is public.",
      from: { path: "^(packages|dialects|adapters|apps|sdk|examples)/([^/]+)/" },
      to: { path: "^(packages|dialects|adapters|apps|sdk)/", pathNot: "^$1/$2/", dependencyTypes: ["local"] },
    },
    {
      name: "no-tests-in-product",
      severity: "error",
      comment: "Product code imports no test helper, fake or contract suite.",
      from: { path: "^(packages|dialects|adapters|apps|sdk)/", pathNot: test },
      to: { path: test },
    },
    {
      name: "unresolved",
      severity: "error",
      comment: "The import leads nowhere: is it in this package's package.json and its file in place?",
      // tests/tools is installed apart, when a test needs it (tests/support/foreign.ts).
      from: { pathNot: "^tests/tools/" },
      to: { couldNotResolve: true },
    },
    ...order.slice(0, -1).map(upward),
    ...vendorRules,
    noVendorAtAll,
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^[^@]+/[.]mecha/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default", "types"],
      extensions: [".ts", ".js", ".cjs", ".mjs", ".json"],
    },
    skipAnalysisNotInRules: true,
  },
};
