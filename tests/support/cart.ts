/** The shopping cart as a stranger runs it: a copy of the example in a temporary folder, `mecha up` on free ports. */
import { cp, symlink } from "node:fs/promises";
import { join } from "node:path";
import { repository, type TempDir, tempDir } from "./files.ts";
import { type Program, type ProgramOptions, startNode } from "./program.ts";

export const mechaMain = "apps/mecha/src/main.ts";

/** A copy of the example. Its packages are the repository's. */
export async function copyCart(): Promise<TempDir> {
  const dir = await tempDir("cart");
  await cp(join(repository, "examples/shopping-cart"), dir.path, {
    recursive: true,
    filter: (path) => !path.includes("node_modules") && !path.includes(".mecha"),
  });
  await symlink(join(repository, "node_modules"), join(dir.path, "node_modules"), "dir");
  return dir;
}

/** A running `mecha up`. */
export interface RunningMecha extends AsyncDisposable {
  readonly program: Program;
  /** `http://127.0.0.1:port` of the ingress. */
  readonly ingress: string;
  /** Address of the admin page, token included. */
  readonly page: string;
  /** How long it took from start to the banner, ms. */
  readonly readyMs: number;
}

/** Starts `mecha up` on free ports and waits until it is ready. */
export async function startUp(folder: string, args: readonly string[] = [], options: ProgramOptions = {}): Promise<RunningMecha> {
  const startedMs = performance.now();
  const program = startNode(mechaMain, ["up", folder, "--port", "0", "--admin-port", "0", ...args], options);
  try {
    const [, ingress = ""] = await program.waitFor(/callers +(http:\/\/127\.0\.0\.1:\d+)/u);
    const [, page = ""] = await program.waitFor(/page +(http:\S+#token=[\w-]+)/u);
    await program.waitFor(/Ctrl-C stops/u);
    return { program, ingress, page, readyMs: performance.now() - startedMs, [Symbol.asyncDispose]: () => program[Symbol.asyncDispose]() };
  } catch (error) {
    await program[Symbol.asyncDispose]();
    throw error;
  }
}

/** Puts items into a cart over HTTP/JSON. @throws when the answer is not 200. */
export async function addItem(
  ingress: string,
  cartId: string,
  item: { readonly sku: string; readonly quantity: number },
): Promise<unknown> {
  return http("POST", `${ingress}/carts/${encodeURIComponent(cartId)}/items`, { ...item, name: item.sku });
}

export async function getCart(ingress: string, cartId: string): Promise<unknown> {
  return http("GET", `${ingress}/carts/${encodeURIComponent(cartId)}`);
}

async function http(method: string, url: string, body?: unknown): Promise<unknown> {
  const response = await fetch(url, {
    method,
    ...(body !== undefined && { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${text}`);
  return JSON.parse(text);
}
