export { discover, goodbyeTimeoutMs } from "./discovery.ts";
