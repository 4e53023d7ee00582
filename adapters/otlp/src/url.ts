/** Where spans go, from what people configure. */
import { Fault } from "@mecha/kit";

/**
 * The address for traces below an OTLP endpoint, which is that of all signals (OpenTelemetry, "OTLP exporter configuration").
 * @throws Fault("invalid") when it is no http or https address.
 */
export function tracesUrl(endpoint: string): string {
  let url: URL;
  try {
    url = new URL(endpoint);
  } catch (cause) {
    throw new Fault("invalid", `the OTLP endpoint ${JSON.stringify(endpoint)} is no address; expected one like http://127.0.0.1:4318`, {
      cause,
    });
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new Fault(
      "invalid",
      `the OTLP endpoint ${JSON.stringify(endpoint)}: only http and https are spoken, not gRPC; the usual port is 4318`,
    );
  }
  if (!url.pathname.endsWith("/v1/traces")) url.pathname = `${url.pathname.replace(/\/$/, "")}/v1/traces`;
  return url.href;
}
