/** The function's process: serves the components on a free port and tells it. */
import { serve } from "mecha-sdk";
import { noLog } from "@mecha/kit";
import { Plain, Snapshotted, Ticker } from "./components.ts";

const server = await serve([Plain, Snapshotted, Ticker], { port: 0, host: "127.0.0.1", log: noLog, development: false });
process.on("disconnect", () => process.exit(0));
process.send?.(server.port);
