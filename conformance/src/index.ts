export type { Connection, FunctionSide, ProxySide } from "./kit/connection.ts";
export type { Case, CaseKit, CaseOptions } from "./kit/context.ts";
export { type Interceptor, type InterceptorOptions, openInterceptor } from "./kit/interceptor.ts";
export { type CaseResult, openProxy, type Proxy, runCases, type RunOptions } from "./kit/run.ts";
export { referenceEntityTypes } from "./proxy/discovery.ts";
export { proxyCases } from "./proxy/index.ts";
