/** Environment variables of `mecha sidecar`, under the names Cloudstate's own proxy has. docs/reference/configuration.md is generated from this table. */
import { bytes, kib, mib, oneOf, port, text } from "@mecha/kit";
import { functionProtocols } from "./function-protocol.ts";

export const title = "mecha sidecar";

/** Whose answers callers get: ours, or word for word those of another proxy. */
export const strictNames = ["off", "cloudstate-0.2"] as const;

export const options = {
  ingressPort: port({ env: "HTTP_PORT", default: 9_000, doc: "Port callers of the sidecar reach." }),
  functionHost: text({
    env: "USER_FUNCTION_HOST",
    default: "127.0.0.1",
    doc: "Where the user function listens.",
    pattern: /^\S{1,255}$/u,
    expected: "a host name or address",
  }),
  functionPort: port({ env: "USER_FUNCTION_PORT", default: 8_080, doc: "Port of the user function." }),
  protocol: oneOf({
    env: "MECHA_PROTOCOL",
    values: functionProtocols,
    default: "auto",
    doc: "Protocol of the user function: `auto` asks it (Cloudstate 0.2 or Kalix 1.x); `any` takes every version, Cloudstate's 0.0 among them.",
  }),
  strict: oneOf({
    env: "MECHA_STRICT",
    values: strictNames,
    default: "off",
    doc: "`cloudstate-0.2` answers callers as Cloudstate's own proxy does: its texts and statuses over HTTP, its route order, its reflection, and commands that wait at an entity whose stream was lost fail.",
  }),
  hosts: text({
    env: "MECHA_ALLOWED_HOSTS",
    default: "",
    doc: "Names callers may have for this machine over HTTP (the Host header), separated by commas, beside its loopback names. At an address beyond loopback the default is any name.",
    pattern: /^[A-Za-z0-9.:[\] ,-]*$/u,
    expected: "host names separated by commas",
  }),
  allowedOrigins: text({
    env: "MECHA_ALLOWED_ORIGINS",
    default: "",
    doc: "Web origins (`https://shop.example`) whose pages may call, separated by commas. By default calls from web pages are refused.",
    pattern: /^ *(https?:\/\/[a-z0-9.:[\]-]+ *(, *|$))*$/u,
    expected: "origins like https://shop.example, without a path, separated by commas",
  }),
  topics: text({
    env: "MECHA_ALLOWED_TOPICS",
    default: "",
    doc: "Topics callers may publish CloudEvents to at `/_mecha/topics/<name>`, separated by commas. By default none: an event is a command to whoever consumes it.",
    pattern: /^[A-Za-z0-9._~/, -]*$/u,
    expected: "names of topics separated by commas",
  }),
  bodyMaxBytes: bytes({
    env: "MECHA_BODY_MAX",
    default: 4 * mib,
    min: kib,
    max: 64 * mib,
    doc: "Largest HTTP body, and largest message over gRPC-Web.",
  }),
};
