/**
 * OpenAPI v2 in the Protobuf form kubectl asks for: only that there is an API, not what is in it. kubectl wants this form to check `kind: List` by itself, as version
 * 3 does not describe lists; a kind it does not find there it leaves to the server, which checks every object anyway. So nobody misses the rest.
 */
import { kubernetesVersion } from "@mecha/kinds";

/** What Accept names. */
const asked = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
/** What the answer is called: with a dot, as a type may have no `@`. */
export const openApiV2Protobuf = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

export function wantsProtobuf(accept: string | undefined): boolean {
  return accept?.includes(asked) === true;
}

/** openapi.v2.Document: swagger = 1, info = 2 { title = 1, version = 2 }; all of them texts shorter than 128 bytes. */
export function emptyDocument(): Uint8Array {
  const info = [...field(1, "Kubernetes"), ...field(2, kubernetesVersion)];
  return new Uint8Array([...field(1, "2.0"), ...bytes(2, info)]);
}

const field = (number: number, text: string): number[] => bytes(number, [...new TextEncoder().encode(text)]);
const bytes = (number: number, content: readonly number[]): number[] => [(number << 3) | 2, content.length, ...content];
