export { openOtlpExporter, type OtlpExporter, type OtlpOptions } from "./exporter.ts";
export { tracesUrl } from "./url.ts";
