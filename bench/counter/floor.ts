/** What the machine itself allows: the disk's own fdatasync rate, and a bare HTTP echo over loopback. */
import { spawn } from "node:child_process";
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, until, wrk } from "./processes.ts";

/** The disk's own pace. */
export interface SyncFloor {
  readonly perSecond: number;
  readonly p50Ms: number;
}

/** Sequential 4 KiB appends, each synced; measured for about a second. */
export function syncFloor(): SyncFloor {
  const dir = mkdtempSync(join(tmpdir(), "bench-floor-"));
  const file = openSync(join(dir, "log"), "w");
  const block = Buffer.alloc(4096, 1);
  const start = performance.now();
  const took: number[] = [];
  while (performance.now() - start < 1000) {
    const from = performance.now();
    writeSync(file, block);
    fdatasyncSync(file);
    took.push(performance.now() - from);
  }
  const seconds = (performance.now() - start) / 1000;
  closeSync(file);
  rmSync(dir, { recursive: true });
  const p50Ms = took.toSorted((a, b) => a - b)[Math.floor(took.length / 2)] ?? 0;
  return { perSecond: Math.round(took.length / seconds), p50Ms };
}

const echo = `require("node:http").createServer((q,s)=>{const c=[];q.on("data",d=>c.push(d));q.on("end",()=>{s.setHeader("content-type","application/json");s.end(Buffer.concat(c))})}).listen(Number(process.env.PORT),"127.0.0.1")`;

/** A node:http server that answers the body it got: requests a second on `connections`, and how long one takes when it is alone. */
export async function loopbackFloor(connections: number, seconds: number): Promise<{ readonly perSecond: number; readonly p50Ms: number }> {
  const port = await freePort();
  const child = spawn(process.execPath, ["-e", echo], { env: { ...process.env, PORT: String(port) } });
  try {
    await until("the echo listens", async () => (await fetch(`http://127.0.0.1:${String(port)}/`, { method: "POST", body: "{}" })).ok);
    const url = `http://127.0.0.1:${String(port)}`;
    const { requests, micros } = wrk(url, "/counter/%d/add", 1, connections, seconds);
    const { p50 } = wrk(url, "/counter/%d/add", 1, 1, seconds);
    return { perSecond: Math.round((requests / micros) * 1e6), p50Ms: p50 / 1000 };
  } finally {
    child.kill();
  }
}
