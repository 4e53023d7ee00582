/** Environment variables of `mecha sidecar`, under the names Cloudstate's own proxy has. docs/reference/configuration.md is generated from this table. */
import { port, text } from "@mecha/kit";

export const title = "mecha sidecar";

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
};
