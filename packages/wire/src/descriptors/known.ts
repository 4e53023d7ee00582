/** Files that every protobuf toolchain brings along, for descriptor sets that leave them out. */
import type { DescFile } from "@bufbuild/protobuf";
import {
  type FileDescriptorProto,
  file_google_protobuf_any,
  file_google_protobuf_api,
  file_google_protobuf_descriptor,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_source_context,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_type,
  file_google_protobuf_wrappers,
} from "@bufbuild/protobuf/wkt";
import { file_cloudstate_entity_key } from "../gen/cloudstate/entity_key_pb.ts";
import { file_cloudstate_eventing } from "../gen/cloudstate/eventing_pb.ts";
import { file_google_api_annotations } from "../gen/google/api/annotations_pb.ts";
import { file_google_api_http } from "../gen/google/api/http_pb.ts";

const all: readonly DescFile[] = [
  file_google_protobuf_any,
  file_google_protobuf_api,
  file_google_protobuf_descriptor,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_source_context,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_type,
  file_google_protobuf_wrappers,
  file_google_api_annotations,
  file_google_api_http,
  file_cloudstate_entity_key,
  file_cloudstate_eventing,
];

const byName = new Map(all.map((file) => [file.proto.name, file.proto]));

/** The file of that name (`google/protobuf/any.proto`), when it is one everybody knows. */
export function knownFile(name: string): FileDescriptorProto | undefined {
  return byName.get(name);
}
