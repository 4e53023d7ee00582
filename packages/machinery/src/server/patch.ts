/** PATCH: which kinds of patch a resource takes, and what each makes of an object. The patches themselves are packages/machinery/src/patch. */
import type { JsonObject, ResourceDefinition } from "@mecha/kinds";
import { Fault } from "@mecha/kit";
import { jsonProblem } from "../go-json.ts";
import { jsonPatch } from "../patch/json-patch.ts";
import { mergePatch } from "../patch/merge-patch.ts";
import { strategicMergePatch } from "../patch/strategic-patch.ts";
import { StatusError } from "../status.ts";
import { checkBodySize, mediaType, nothingTwice, type Twice, utf8 } from "./body.ts";
import { duplicateTexts } from "./duplicates.ts";
import { badRequest } from "./options.ts";
import { parseYaml } from "./yaml.ts";

export const patchMedia = {
  json: "application/json-patch+json",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  apply: "application/apply-patch+yaml",
} as const;

export interface ParsedPatch extends Twice {
  readonly kind: keyof typeof patchMedia;
  readonly value: unknown;
}

/** Content types of patches a resource takes. */
export function patchTypes(definition: ResourceDefinition): string[] {
  return [patchMedia.json, patchMedia.merge, ...(definition.strategicPatch ? [patchMedia.strategic] : []), patchMedia.apply];
}

/** @throws StatusError UnsupportedMediaType, BadRequest */
export function parsePatch(body: Uint8Array | undefined, contentType: string | undefined, definition: ResourceDefinition): ParsedPatch {
  const media = mediaType(contentType);
  const kind = (Object.keys(patchMedia) as (keyof typeof patchMedia)[]).find((one) => patchMedia[one] === media);
  const types = patchTypes(definition);
  // Paths of built-in kinds take these types and no other; those of CRDs look into the request.
  if (!kind && definition.strategicPatch) throw new StatusError("UnsupportedMediaType", "415: Unsupported Media Type", {});
  if (!kind || !types.includes(media))
    throw new StatusError(
      "UnsupportedMediaType",
      `the body of the request was in an unknown format - accepted media types include: ${types.join(", ")}`,
    );
  checkBodySize(body?.length ?? 0);
  const text = utf8(body ?? new Uint8Array());
  try {
    if (kind === "apply") return { ...nothingTwice, kind, ...parseYaml(text) };
    return {
      ...nothingTwice,
      kind,
      value: JSON.parse(text),
      duplicates: duplicateTexts(text).map((one) => (kind === "json" ? `json patch ${one}` : one)),
    };
  } catch (error) {
    if (kind === "apply") throw badRequest(`error decoding YAML: error converting YAML to JSON: ${(error as Error).message}`);
    throw badRequest(`error decoding patch: ${error instanceof Fault ? error.message : jsonProblem(text)}`);
  }
}

/** The object a patch makes of `current`, still to be checked. @throws StatusError as the patch has it */
export function patched(current: JsonObject, patch: ParsedPatch, definition: ResourceDefinition): JsonObject {
  switch (patch.kind) {
    case "json":
      return jsonPatch(current, patch.value);
    case "merge":
      return mergePatch(current, patch.value);
    case "strategic":
      return strategicMergePatch(current, patch.value, definition.types, definition.type);
    case "apply":
      throw new StatusError("UnsupportedMediaType", "apply goes its own way");
  }
}
