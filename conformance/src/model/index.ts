export { type Model, type ModelOptions, openModel } from "./server.ts";
