/** What whoever writes a CustomResourceDefinition is warned of: formats nobody knows are taken, and check nothing; no webhook is called. */
import type { KubeObject, WarningContext } from "@mecha/kinds";
import { conversionWarnings } from "./check-conversion.ts";
import type { Crd } from "./crd.ts";
import { isFormatOf } from "./format.ts";
import type { JsonSchema } from "./schema.ts";

/** On update only those formats that were not there before. */
export function crdWarnings(object: KubeObject, { old, subresource }: WarningContext): readonly string[] {
  if (subresource !== undefined) return [];
  const before = new Set(old ? strangeFormats(old as Crd) : []);
  const formats = strangeFormats(object as Crd).filter((format) => !before.has(format));
  return [...formats.map((format) => `unrecognized format ${JSON.stringify(format)}`), ...conversionWarnings(object as Crd)];
}

function strangeFormats({ spec }: Crd): readonly string[] {
  return spec.versions.flatMap(({ schema }) => [...strangeIn(schema?.openAPIV3Schema)]);
}

/** Schemas that are taken are nested only so deep. */
function* strangeIn(schema: JsonSchema | undefined): Generator<string> {
  if (!schema) return;
  const { type = "", format = "", items, not, properties = {}, additionalProperties } = schema;
  if (format !== "" && !isFormatOf(type, format)) yield format;
  const below = [items, ...(schema.allOf ?? []), ...(schema.anyOf ?? []), ...(schema.oneOf ?? []), not, ...Object.values(properties)];
  for (const inner of below) yield* strangeIn(inner);
  if (typeof additionalProperties === "object") yield* strangeIn(additionalProperties);
}
