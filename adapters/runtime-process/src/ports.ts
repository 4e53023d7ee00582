import { createServer } from "node:net";
import { Fault } from "@mecha/kit";

/** Ports handed out by this process, so that two functions started together never get the same one. */
const handedOut = new Set<number>();

/** Tries before giving up; a clash needs the kernel to offer a port again that was handed out moments ago. */
const freePortTriesMax = 64;

/**
 * A port nobody listens on at `host`, found by binding port 0. Between this call and the function's own bind another program
 * could take it; the function then fails, and its next start gets another.
 * @throws Fault("exhausted") when none was found.
 */
export async function freePort(host: string): Promise<number> {
  for (let tries = 0; tries < freePortTriesMax; tries++) {
    const port = await bind(host, 0);
    if (port !== undefined && !handedOut.has(port)) {
      handedOut.add(port);
      return port;
    }
  }
  throw new Fault("exhausted", `find a free port on ${host}`);
}

/** Gives a port from `freePort` back. */
export function releasePort(port: number): void {
  handedOut.delete(port);
}

/** Whether `port` could be bound at `host` just now. */
export async function portIsFree(host: string, port: number): Promise<boolean> {
  return (await bind(host, port)) !== undefined;
}

/** Binds and closes; the port, or `undefined` when it is taken. */
function bind(host: string, port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : undefined));
    });
  });
}
