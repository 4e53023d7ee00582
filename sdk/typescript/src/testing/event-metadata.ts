/** Metadata of a command that an event causes, as a proxy sends it. */
import type { MetadataInput } from "../run/answer.ts";
import type { CloudEvent } from "../run/cloud-event.ts";

/** @example await testAction(Mailer, "itemAdded", [{ sku: "tea" }], { metadata: eventMetadata({ id: "1", source: "shop.Cart", type: "…", subject: "42" }) }) */
export function eventMetadata(event: Pick<CloudEvent, "id" | "source" | "type"> & Partial<CloudEvent>): MetadataInput {
  const { id, source, type, specVersion = "1.0", subject, time, dataSchema, dataContentType } = event;
  return {
    "ce-id": id,
    "ce-source": source,
    "ce-type": type,
    "ce-specversion": specVersion,
    ...(subject !== undefined && { "ce-subject": subject }),
    ...(time !== undefined && { "ce-time": time.toISOString() }),
    ...(dataSchema !== undefined && { "ce-dataschema": dataSchema }),
    ...(dataContentType !== undefined && { "content-type": dataContentType }),
  };
}
