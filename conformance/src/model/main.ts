/**
 * The model as a process: prints `listening on <port>`, runs until its stdin ends.
 * Environment: PORT (default 0 = any), MODEL_RESTART=no for a model that never asks for a restart.
 */
import { openModel } from "./server.ts";

await using model = await openModel({
  port: Number(process.env["PORT"] ?? "0"),
  asksRestart: process.env["MODEL_RESTART"] !== "no",
  reported: (message) => console.error(`reported: ${message}`),
});
console.log(`listening on ${model.port}`);
process.stdin.resume();
await new Promise((resolve) => process.stdin.once("close", resolve));
