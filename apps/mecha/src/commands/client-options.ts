import { resolve } from "node:path";
import { AdminClient } from "../admin/client.ts";
import { type Io, type OutputFormat, withProgress } from "../io.ts";
import { findStateFolder } from "../project/find.ts";

/** Options of every command that talks to a running Mecha. */
export interface ClientOptions {
  readonly project?: string;
  readonly state?: string;
  readonly output: OutputFormat;
}

export async function openClient(io: Io, options: ClientOptions): Promise<AdminClient> {
  return AdminClient.open(
    await findStateFolder(
      resolve(io.cwd, options.project ?? "."),
      options.state === undefined ? undefined : resolve(io.cwd, options.state),
    ),
  );
}

/** Asks the running Mecha, saying so when it takes long. */
export async function ask<T>(io: Io, options: ClientOptions, question: (client: AdminClient) => Promise<T>): Promise<T> {
  return withProgress(io, "waiting for Mecha's answer", openClient(io, options).then(question));
}

export function printJson(io: Io, value: unknown): void {
  io.out(`${JSON.stringify(value, undefined, 2)}\n`);
}
