/**
 * Lint rules. Each ban names what to use instead. The layering itself (who may import whom) is dependency-cruiser's job
 * (.dependency-cruiser.cjs); the bans below keep clocks, chance and the machine out of the pure layers.
 */
import js from "@eslint/js";
import { defineConfig, globalIgnores } from "eslint/config";
import { builtinModules } from "node:module";
import tseslint from "typescript-eslint";

const tests = ["**/*.test.ts", "**/testing.ts", "**/testing/**", "tests/**/*.ts", "**/contract/**", "**/fuzz/**"];

/** Globals that reach the machine. Types and values alike: a pure layer is handed these through a port. */
const machineGlobals = [
  ["process", "configuration is read once in apps/*/main.ts and passed as plain values; see readConfig in @mecha/kit"],
  ["performance", "use Clock.monotonic() from @mecha/kit"],
  ["setTimeout", "use sleep(clock, ms) or Clock.after() from @mecha/kit"],
  ["setInterval", "use Clock.after() from @mecha/kit, re-armed"],
  ["setImmediate", "use Clock.after(0, …) or queueMicrotask"],
  ["crypto", "use Random from @mecha/kit"],
  ["fetch", "take a port; sockets live in adapters/net"],
  ["WebSocket", "take a port; sockets live in adapters/net"],
  ["console", "use Log from @mecha/kit"],
].map(([name, message]) => ({ name, message }));

/** `node:` modules a pure layer may not import: all but the assertion module, which tests use. */
const machineModules = builtinModules
  .filter((name) => !name.startsWith("_"))
  .flatMap((name) => (name.startsWith("node:") ? [name] : [name, `node:${name}`]))
  .filter((name) => !/^(node:)?assert(\/strict)?$/.test(name))
  .map((name) => ({ name, message: "packages/ and dialects/ know no machine: define a port and implement it in adapters/" }));

export default defineConfig(
  globalIgnores(["**/node_modules/**", "**/dist/**", "**/gen/**", "**/.mecha/**", "**/.cache/**", "bench/**", "coverage/**"]),
  {
    files: ["**/*.ts", "**/*.js", "**/*.cjs"],
    extends: [js.configs.recommended],
    linterOptions: { reportUnusedDisableDirectives: "error" },
  },
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // Promises: each is awaited, returned or marked `void` on purpose.
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-misused-promises": ["error", { checksVoidReturn: { attributes: false, inheritedMethods: false } }],
      "@typescript-eslint/return-await": ["error", "error-handling-correctness-only"],
      "@typescript-eslint/require-await": "off", // an async method of a port may have nothing to wait for in one adapter
      // Unions are covered completely, or have a default on purpose.
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "inline-type-imports", disallowTypeAnnotations: false }],
      "@typescript-eslint/no-unused-vars": [
        "error",
        { argsIgnorePattern: "^_", varsIgnorePattern: "^_", caughtErrorsIgnorePattern: "^_", ignoreRestSiblings: true },
      ],
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/no-non-null-assertion": "error",
      "@typescript-eslint/only-throw-error": ["error", { allowThrowingAny: true, allowThrowingUnknown: true }], // rethrow, and a signal's `reason`
      "@typescript-eslint/prefer-promise-reject-errors": ["error", { allowThrowingAny: true, allowThrowingUnknown: true }],
      // `_` numbers, booleans and the like in messages are fine; objects are not.
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowBoolean: true, allowNullish: true, allow: [{ from: "lib", name: ["Error", "URL", "URLSearchParams"] }] },
      ],
      "@typescript-eslint/restrict-plus-operands": ["error", { allowNumberAndString: true }],
      // Input from outside is checked even where the types believe it is right, so "unnecessary" checks are not flagged.
      "@typescript-eslint/no-unnecessary-condition": "off",
      "@typescript-eslint/no-unnecessary-type-parameters": "off",
      "@typescript-eslint/no-unnecessary-boolean-literal-compare": "off",
      "@typescript-eslint/no-empty-function": "off",
      "@typescript-eslint/no-invalid-void-type": "off",
      "@typescript-eslint/no-confusing-void-expression": "off",
      "@typescript-eslint/no-dynamic-delete": "off",
      "@typescript-eslint/no-extraneous-class": "off",
      "@typescript-eslint/unified-signatures": "off",
      "@typescript-eslint/unbound-method": ["error", { ignoreStatic: true }],
      "no-empty": "error", // a catch with a comment inside is not empty
      "prefer-const": "error",
      eqeqeq: ["error", "always", { null: "ignore" }],
      "no-constant-condition": ["error", { checkLoops: false }],
      "no-control-regex": "off",
      "no-console": "off",
    },
  },
  {
    files: ["packages/**/*.ts", "dialects/**/*.ts"],
    ignores: tests,
    rules: {
      "no-restricted-globals": ["error", ...machineGlobals],
      "no-restricted-properties": [
        "error",
        { object: "Date", property: "now", message: "Use Clock.wall() from @mecha/kit." },
        { object: "AbortSignal", property: "timeout", message: "Use deadlineSignal(clock, ms) from @mecha/kit." },
        { object: "Math", property: "random", message: "Use Random from @mecha/kit." },
        ...machineGlobals.map(({ name, message }) => ({ object: "globalThis", property: name, message })),
      ],
      "no-restricted-syntax": [
        "error",
        {
          selector: "NewExpression[callee.name='Date'][arguments.length=0]",
          message: "Use new Date(clock.wall()), Clock from @mecha/kit.",
        },
        { selector: "CallExpression[callee.name='Date']", message: "Use Clock.wall() from @mecha/kit." },
        { selector: "ImportExpression", message: "A pure layer loads nothing at run time; import it, or take it as an argument." },
      ],
      "no-restricted-imports": ["error", { paths: machineModules }],
    },
  },
  {
    files: tests,
    rules: {
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/no-explicit-any": "off",
      "@typescript-eslint/no-unsafe-assignment": "off",
      "@typescript-eslint/no-unsafe-member-access": "off",
      "@typescript-eslint/no-unsafe-argument": "off",
      "@typescript-eslint/no-unsafe-call": "off",
      "@typescript-eslint/no-unsafe-return": "off",
      "@typescript-eslint/no-deprecated": "off",
      "@typescript-eslint/no-base-to-string": "off",
      "@typescript-eslint/unbound-method": "off",
      // node:test's `test()` returns a promise the runner itself awaits.
      "@typescript-eslint/no-floating-promises": [
        "error",
        {
          allowForKnownSafeCalls: [
            {
              from: "package",
              package: "node:test",
              name: ["test", "it", "describe", "suite", "before", "after", "beforeEach", "afterEach"],
            },
          ],
        },
      ],
    },
  },
  {
    files: ["**/*.cjs"],
    languageOptions: {
      sourceType: "commonjs",
      globals: { process: "readonly", console: "readonly", require: "readonly", module: "writable", __dirname: "readonly" },
    },
    rules: { "no-var": "off", "prefer-const": "off" },
  },
  {
    files: ["apps/*/src/static/**/*.js", "apps/*/static/**/*.js", "apps/**/page/**/*.js"],
    languageOptions: {
      globals: Object.fromEntries(
        [
          "document",
          "window",
          "fetch",
          "EventSource",
          "location",
          "history",
          "setTimeout",
          "clearTimeout",
          "setInterval",
          "clearInterval",
          "console",
          "URL",
          "URLSearchParams",
          "navigator",
          "localStorage",
          "sessionStorage",
          "HTMLElement",
          "customElements",
          "AbortController",
          "TextDecoder",
          "TextEncoder",
          "requestAnimationFrame",
          "queueMicrotask",
          "CSS",
          "Event",
          "CustomEvent",
          "FormData",
          "Headers",
          "Request",
          "Response",
          "performance",
          "structuredClone",
          "crypto",
          "Node",
          "Element",
          "matchMedia",
          "getComputedStyle",
        ].map((name) => [name, "readonly"]),
      ),
    },
  },
);
