export { annotatedBindings, type BoundVariable, defaultBinding, type HttpBinding } from "./binding.ts";
export { type JsonCodec, JsonCodecs } from "./json-codec.ts";
export { parseJson } from "./json-text.ts";
export { faultAnswer, type HttpAnswer, HttpFault, httpStatusOf, refusalAnswer, type Strictness } from "./problem.ts";
export type { RawBody } from "./raw-body.ts";
export { pathSegmentsMax, type RouteEntry, type RouteMatch, RouteTable } from "./routes.ts";
export { parseTemplate, type PathTemplate, templateShape } from "./template.ts";
export { bindingShape, type HttpRoute, Transcoder } from "./transcoder.ts";
