/** What the machine itself allows: the disk's own fdatasync rate, and a bare HTTP echo over loopback. */
import { spawn } from "node:child_process";
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, until, wrk } from "./processes.ts";

/** Sequential 4 KiB appends, each synced, per second; measured for about a second. */
export function syncFloor(): number {
  const dir = mkdtempSync(join(tmpdir(), "bench-floor-"));
  const file = openSync(join(dir, "log"), "w");
  const block = Buffer.alloc(4096, 1);
  const start = performance.now();
  let syncs = 0;
  while (performance.now() - start < 1000) {
    writeSync(file, block);
    fdatasyncSync(file);
    syncs++;
  }
  const seconds = (performance.now() - start) / 1000;
  closeSync(file);
  rmSync(dir, { recursive: true });
  return Math.round(syncs / seconds);
}

const echo = `require("node:http").createServer((q,s)=>{const c=[];q.on("data",d=>c.push(d));q.on("end",()=>{s.setHeader("content-type","application/json");s.end(Buffer.concat(c))})}).listen(Number(process.env.PORT),"127.0.0.1")`;

/** Requests per second of a node:http server that answers the body it got. */
export async function loopbackFloor(connections: number, seconds: number): Promise<number> {
  const port = await freePort();
  const child = spawn(process.execPath, ["-e", echo], { env: { ...process.env, PORT: String(port) } });
  try {
    await until("the echo listens", async () => (await fetch(`http://127.0.0.1:${String(port)}/`, { method: "POST", body: "{}" })).ok);
    const { requests, micros } = wrk(`http://127.0.0.1:${String(port)}`, "/counter/%d/add", 1, connections, seconds);
    return Math.round((requests / micros) * 1e6);
  } finally {
    child.kill();
  }
}
