export { compileProto } from "./proto.ts";
