/** What `mecha up` prints once everything runs. Pure. */
import { relative } from "node:path";
import type { StatusJson } from "../admin/model.ts";
import type { RunSettings } from "./settings.ts";

export interface BannerFacts {
  readonly settings: RunSettings;
  readonly status: StatusJson;
  /** Address of the page, token in its fragment. */
  readonly page: string | undefined;
  readonly metrics?: string | undefined;
  /** Path of the kubeconfig, when the Kubernetes API is served. */
  readonly kubeconfig?: string | undefined;
  readonly cwd: string;
  readonly colour: boolean;
  /** How long the start took, ms. */
  readonly tookMs: number;
}

/** Routes shown for each service; the page has them all. */
const routesMax = 8;

export function banner({ settings, status, page, metrics, kubeconfig, cwd, colour, tookMs }: BannerFacts): string {
  const paint = painter(colour);
  const { ingress } = status;
  const lines = ["", `  ${paint.bold(settings.name)} is ready ${paint.dim(`(${(tookMs / 1_000).toFixed(1)} s)`)}`, ""];
  const row = (name: string, value: string): void => void lines.push(`  ${paint.dim(name.padEnd(10))}${value}`);
  row("callers", `${paint.accent(`${ingress.tls === true ? "https" : "http"}://${ingress.host}:${ingress.port}`)}  gRPC and HTTP/JSON`);
  if (status.cluster)
    row(
      "peers",
      `${status.cluster.peers.map(({ name }) => name).join(", ")}  (this is ${status.cluster.node}, at ${status.cluster.host}:${status.cluster.port})`,
    );
  if (page !== undefined) row("page", paint.accent(page));
  if (metrics !== undefined) row("metrics", paint.accent(metrics));
  if (kubeconfig !== undefined) row("kubectl", `kubectl --kubeconfig ${quoted(shortPath(kubeconfig, cwd))} get all`);
  row("state", stateText(settings, cwd));
  for (const fn of status.functions) {
    lines.push(
      "",
      `  ${paint.bold(fn.name)}  ${paint.dim(fn.pid === undefined ? `at ${fn.host}:${fn.port}` : `process ${fn.pid}, port ${fn.port}`)}`,
    );
    for (const service of fn.services) {
      lines.push(`    ${service.name}  ${paint.dim(kindNames[service.kind])}`);
      const routes = service.methods.flatMap((method) => method.http.map((route) => `      ${route}  ${paint.dim(`→ ${method.name}`)}`));
      lines.push(...routes.slice(0, routesMax));
      if (routes.length > routesMax) lines.push(paint.dim(`      and ${routes.length - routesMax} more: mecha functions`));
    }
  }
  const hints = status.try;
  if (hints.length > 0) lines.push("", `  ${paint.bold("Try")}`);
  for (const { title, command } of hints) lines.push(`    ${paint.dim(`# ${title}`)}`, `    ${command}`);
  lines.push("", `  ${paint.dim(settings.store.kind === "memory" ? "Ctrl-C stops." : "Ctrl-C stops; kill -9 loses nothing.")}`, "", "");
  return lines.join("\n");
}

const kindNames = { eventSourced: "event sourced", value: "value", crdt: "CRDT", action: "action" } as const;

function stateText({ store }: RunSettings, cwd: string): string {
  if (store.kind === "memory") return "in memory, gone at the end";
  return `${shortPath(store.directory, cwd)}  sqlite${store.durability === "relaxed" ? ", relaxed durability" : ""}`;
}

/** The project's own lines, made true for this run: `$INGRESS` and `$MECHA` are filled in. */
export function hintLines(
  settings: RunSettings,
  { ingress }: Pick<StatusJson, "ingress">,
  cwd: string,
): { readonly title: string; readonly command: string }[] {
  const project = shortPath(settings.folder, cwd);
  const tool = `npx --no-install mecha`;
  const where = project === "." || project === "" ? "" : ` -C ${quoted(project)}`;
  return settings.hints.map(({ title, command }) => ({
    title,
    command: command
      .replaceAll("$INGRESS", `${ingress.host}:${ingress.port}`)
      // -C belongs behind the command's own word: `mecha call -C dir …`
      .replace(/\$MECHA ((?:entities )?\w+)/gu, (_all, word: string) => `${tool} ${word}${where}`)
      .replaceAll("$MECHA", tool),
  }));
}

function shortPath(path: string, cwd: string): string {
  const short = relative(cwd, path);
  return short.startsWith("..") ? path : short || ".";
}

/** As one word of a shell line. */
export function quoted(word: string): string {
  return /^[\w./-]+$/u.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function painter(colour: boolean): Record<"bold" | "dim" | "accent", (text: string) => string> {
  const wrap = (on: string, off: string) => (text: string) => (colour ? `\u001b[${on}m${text}\u001b[${off}m` : text);
  return { bold: wrap("1", "22"), dim: wrap("2", "22"), accent: wrap("36", "39") };
}
