export { healthHandler, HealthState, type HealthStatus } from "./health.ts";
