/**
 * `/openapi/v3`, its documents, and `/openapi/v2`. Documents are made when first asked for and kept until the registry changes.
 *
 * D1 a document's address carries a hash of its text, so that it may be kept for ever; kubectl keeps them on disk and shares them between servers
 */
import { apiVersionOf, type JsonObject, type ResourceDefinition } from "@mecha/kinds";
import type { ApiAnswer, ApiRequest } from "../client.ts";
import type { Registry } from "../registry/registry.ts";
import { etagOf, type FixedPaths } from "../server/fixed-paths.ts";
import { openApiV2, openApiV3 } from "./document.ts";
import { emptyDocument, openApiV2Protobuf, wantsProtobuf } from "./protobuf.ts";

interface Document {
  readonly body: Uint8Array;
  readonly etag: string;
}

/** Documents of one state of the registry. */
class Documents {
  readonly generation: number;
  readonly #registry: Registry;
  readonly #made = new Map<string, Document>();

  constructor(registry: Registry) {
    this.#registry = registry;
    this.generation = registry.generation;
  }

  /** Of one group and version, by its path without the root: `api/v1`, `apis/apps/v1`. */
  version(path: string): Document | undefined {
    const definitions = this.#byPath().get(path);
    return definitions && this.#keep(path, () => openApiV3(definitions));
  }

  all(): Document {
    return this.#keep("v2", () => openApiV2([...this.#registry.definitions()]));
  }

  /** Which documents there are, and where. */
  index(): Document {
    return this.#keep("", () => {
      const paths = [...this.#byPath().keys()].map((path) => {
        const hash = (this.version(path)?.etag ?? "").replaceAll('"', "");
        return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }] as const;
      });
      return { paths: Object.fromEntries(paths) };
    });
  }

  #byPath(): Map<string, ResourceDefinition[]> {
    return Map.groupBy(this.#registry.definitions(), (definition) => {
      const version = apiVersionOf(definition);
      return definition.group === "" ? `api/${version}` : `apis/${version}`;
    });
  }

  #keep(name: string, make: () => JsonObject): Document {
    const known = this.#made.get(name);
    if (known) return known;
    const body = new TextEncoder().encode(JSON.stringify(make()));
    const document = { body, etag: etagOf(body) };
    this.#made.set(name, document);
    return document;
  }
}

/** Answers the OpenAPI paths; passes on all others. */
export function openApiPaths(): FixedPaths {
  let documents: Documents | undefined;
  const protobuf: ApiAnswer = {
    status: 200,
    headers: { vary: "Accept", "cache-control": "no-cache, private", "content-type": openApiV2Protobuf },
    body: emptyDocument(),
  };
  return (request, registry) => {
    if (request.method !== "GET" || !request.path.startsWith("/openapi/")) return undefined;
    if (documents?.generation !== registry.generation) documents = new Documents(registry);
    const path = request.path.replace(/\/+$/u, "");
    if (path === "/openapi/v2" && wantsProtobuf(request.headers.accept)) return protobuf;
    if (path === "/openapi/v2") return answer(request, documents.all(), "no-cache, private");
    if (path === "/openapi/v3") return answer(request, documents.index(), "no-cache, private");
    const document = path.startsWith("/openapi/v3/") ? documents.version(path.slice("/openapi/v3/".length)) : undefined;
    if (!document) return undefined;
    const hash = new URLSearchParams(request.query).get("hash");
    // keeps D1
    const fresh = hash === null || `"${hash}"` === document.etag;
    if (!fresh) return moved(path, document);
    return answer(request, document, hash === null ? "no-cache, private" : "public, immutable");
  };
}

function answer({ headers }: ApiRequest, { body, etag }: Document, cache: string): ApiAnswer {
  const shared = { etag, vary: "Accept", "cache-control": cache };
  if (headers["if-none-match"] === etag) return { status: 304, headers: shared, body: new Uint8Array() };
  return { status: 200, headers: { ...shared, "content-type": "application/json" }, body };
}

/** Somebody holds an old index: the document has another address now. */
function moved(path: string, { etag }: Document): ApiAnswer {
  const location = `${path}?hash=${etag.replaceAll('"', "")}`;
  return { status: 301, headers: { location, "cache-control": "no-cache, private" }, body: new Uint8Array() };
}
