import type { FunctionJson } from "../admin/model.ts";
import { type Io, printable, table } from "../io.ts";
import { ask, type ClientOptions, printJson } from "./client-options.ts";

/** `mecha functions` */
export async function functionsCommand(io: Io, options: ClientOptions): Promise<void> {
  const functions = await ask(io, options, (client) => client.functions());
  if (options.output === "json") printJson(io, { functions });
  else io.out(printable(functions.map(functionText).join("\n")));
}

/** One line for the function, then its services with their methods and routes. */
export function functionText(fn: FunctionJson): string {
  const where = fn.port === undefined ? "" : ` on ${fn.host}:${fn.port}`;
  const process_ = fn.pid === undefined ? "" : ` (process ${fn.pid})`;
  const restarts = fn.restarts === 0 ? "" : `, started again ${fn.restarts} ${fn.restarts === 1 ? "time" : "times"}`;
  const problem = fn.problem === undefined ? "" : `\n  ${fn.problem.replaceAll("\n", "\n  ")}`;
  const services = fn.services.map((service) => {
    const rows = service.methods.map((method) => [
      `    ${method.name}`,
      `${method.streamedIn ? "stream " : ""}${method.input} → ${method.streamedOut ? "stream " : ""}${method.output}`,
      method.http.join(", "),
    ]);
    return `\n  ${service.name} (${kindText[service.kind]})\n${table(rows).trimEnd()}`;
  });
  return `${fn.name}: ${fn.state}${where}${process_}${restarts}${problem}${services.join("")}\n`;
}

const kindText = { eventSourced: "event sourced", value: "value", crdt: "CRDT", action: "action" } as const;
