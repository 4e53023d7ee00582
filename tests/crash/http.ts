/** A small HTTP client: kept connections and little CPU of its own, as it shares two cores with what it tests. */
import { Agent, request } from "node:http";

/** What came back; `undefined` = nothing usable: refused, reset, cut off, too late, or not 200. */
export type Ask = <T>(method: "GET" | "POST", path: string, body?: unknown, idempotencyKey?: string) => Promise<T | undefined>;

/** A client of `http://127.0.0.1:port`. Past `answerMaxMs` a call counts as unanswered. */
export function openHttp(port: number, answerMaxMs: number): { readonly ask: Ask; close(): void } {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const ask: Ask = <T>(method: string, path: string, body?: unknown, key?: string) =>
    new Promise<T | undefined>((resolve) => {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const headers = {
        ...(text !== undefined && { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
        ...(key !== undefined && { "idempotency-key": key }),
      };
      const call = request({ host: "127.0.0.1", port, method, path, agent, headers, timeout: answerMaxMs }, (response) => {
        let received = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (received += chunk));
        response.on("end", () => resolve(response.complete && response.statusCode === 200 ? (JSON.parse(received) as T) : undefined));
        response.on("close", () => resolve(undefined)); // cut off; after `end` it changes nothing
        response.on("error", () => undefined); // `close` follows
      });
      call.on("timeout", () => call.destroy());
      call.on("error", () => resolve(undefined));
      call.end(text);
    });
  return { ask, close: () => agent.destroy() };
}
