import { type Io, printable, table } from "../io.ts";
import { ask, type ClientOptions, printJson } from "./client-options.ts";

/** `mecha status` */
export async function statusCommand(io: Io, options: ClientOptions): Promise<void> {
  const { status, url } = await ask(io, options, async (client) => ({ status: await client.status(), url: client.url }));
  if (options.output === "json") {
    printJson(io, { ...status, admin: url });
    return;
  }
  const { store } = status;
  const rows = [
    ["project", status.project],
    ["state", status.state],
    ["ingress", `${status.ingress.tls === true ? "https" : "http"}://${status.ingress.host}:${status.ingress.port} (gRPC and HTTP)`],
    ...(status.cluster?.peers ?? []).map(({ name, address, connected }) => [
      `peer ${name}`,
      `${connected ? "connected" : "away"}, ${address}`,
    ]),
    ["admin", url],
    ["store", store.directory === undefined ? store.kind : `${store.kind} in ${store.directory}`],
    ["process", `${status.pid}, since ${status.startedAt}, version ${status.version}`],
    ["entities", `${status.entities.active} active`],
    ...status.functions.map((fn) => [
      `function ${fn.name}`,
      `${fn.state}${fn.problem === undefined ? "" : `: ${fn.problem.split("\n")[0]}`}`,
    ]),
  ];
  io.out(printable(table(rows)));
}
