/** Opens the admin listener and leaves its address and token in the state folder. */
import { type Clock, Fault, type Log, Scope } from "@mecha/kit";
import { listen } from "@mecha/net";
import { newToken, removeAdminFiles, writeAdminFiles } from "./files.ts";
import { type AdminView, adminHandler } from "./server.ts";

export interface AdminOptions {
  /** 0: a free one. */
  readonly port: number;
  /** Where `admin.json` and `admin.token` go. */
  readonly stateFolder: string;
  readonly clock: Clock;
  readonly log: Log;
}

export interface AdminListener extends AsyncDisposable {
  readonly url: string;
  /** Address of the page with the token in its fragment, which browsers do not send on. */
  readonly page: string;
}

/** Admin clients are a browser or two and a command line; far below the defaults of callers. */
const limits = { connectionsMax: 256, headersTimeoutMs: 10_000 };

/** @throws Fault("alreadyExists") naming flag and field when the port is taken. */
export async function openAdmin(view: AdminView, { port, stateFolder, clock, log }: AdminOptions): Promise<AdminListener> {
  const scope = new Scope();
  const token = newToken();
  let ownPort = port;
  try {
    const handler = adminHandler(view, { token, port: () => ownPort, log, clock });
    const listener = scope.own(await listen({ host: "127.0.0.1", port, clock, log, limits }, { grpc: () => undefined, http: handler }));
    ownPort = listener.port;
    const url = `http://127.0.0.1:${listener.port}`;
    await writeAdminFiles(stateFolder, { url, pid: process.pid }, token);
    scope.defer(() => removeAdminFiles(stateFolder));
    return { url, page: `${url}/#token=${token.reveal()}`, [Symbol.asyncDispose]: () => scope[Symbol.asyncDispose]() };
  } catch (error) {
    await scope[Symbol.asyncDispose]();
    throw portFault(error, port, "admin port", "--admin-port, or spec.admin.port in mecha.yaml");
  }
}

/** Says which port is taken and what to change; other errors stay as they are. */
export function portFault(error: unknown, port: number, what: string, where: string): unknown {
  if (!(error instanceof Fault) || error.code !== "alreadyExists") return error;
  return new Fault(
    "alreadyExists",
    `the ${what} ${port} is in use by another program; end it, or choose another with ${where} (0 takes a free one)`,
  );
}
