/**
 * `/openapi/v3`, its documents, and `/openapi/v2`. Documents are made when first asked for and kept until the registry changes.
 *
 * D1 a document's address carries a hash of its text, so that it may be kept for ever; kubectl keeps them on disk and shares them between servers
 */
import { apiVersionOf, type JsonObject, type ResourceDefinition } from "@mecha/kinds";
import type { ApiAnswer, ApiRequest } from "../client.ts";
import type { Registry } from "../registry/registry.ts";
import { etagOf, type FixedPaths } from "../server/fixed-paths.ts";
import { indexDocuments, openApiV2, openApiV3 } from "./document.ts";
import { emptyDocument, openApiV2Protobuf, wantsProtobuf } from "./protobuf.ts";

interface Document {
  readonly body: Uint8Array;
  readonly etag: string;
}

/** A document, and what it was made of. */
interface Made {
  readonly of: readonly ResourceDefinition[];
  readonly document: Document;
}

/** Documents of one state of the registry. */
class Documents {
  readonly generation: number;
  readonly #registry: Registry;
  readonly #made = new Map<string, Document>();
  readonly #byVersion: ReadonlyMap<string, readonly ResourceDefinition[]>;
  readonly #index: ReturnType<typeof indexDocuments>;
  readonly #kept: Map<string, Made>;

  /** @param kept Documents of earlier states, kept on: a CRD changes its own group's only. */
  constructor(registry: Registry, kept: Map<string, Made>) {
    this.#registry = registry;
    this.#kept = kept;
    this.generation = registry.generation;
    const definitions = [...registry.definitions()];
    this.#index = indexDocuments(definitions);
    this.#byVersion = Map.groupBy(definitions, (definition) => {
      const version = apiVersionOf(definition);
      return definition.group === "" ? `api/${version}` : `apis/${version}`;
    });
    for (const path of kept.keys()) if (!this.#byVersion.has(path) && !this.#index.has(path)) kept.delete(path);
  }

  /** By its path without the root: `api/v1`, `apis/apps/v1`, `apis/apps`, `version`. */
  at(path: string): Document | undefined {
    const make = this.#index.get(path);
    const of = make ? [] : this.#byVersion.get(path);
    if (!of) return undefined;
    const known = this.#kept.get(path);
    if (known && known.of.length === of.length && known.of.every((each, i) => each === of[i])) return known.document;
    const document = documentOf(make ? make() : openApiV3(of));
    this.#kept.set(path, { of, document });
    return document;
  }

  all(): Document {
    return this.#keep("v2", () => openApiV2([...this.#registry.definitions()]));
  }

  /** Which documents there are, and where. */
  index(): Document {
    return this.#keep("", () => {
      const paths = [...this.#index.keys(), ...this.#byVersion.keys()].sort().map((path) => {
        const hash = (this.at(path)?.etag ?? "").replaceAll('"', "");
        return [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }] as const;
      });
      return { paths: Object.fromEntries(paths) };
    });
  }

  #keep(name: string, make: () => JsonObject): Document {
    const known = this.#made.get(name);
    if (known) return known;
    const document = documentOf(make());
    this.#made.set(name, document);
    return document;
  }
}

function documentOf(value: JsonObject): Document {
  const body = new TextEncoder().encode(JSON.stringify(value));
  return { body, etag: etagOf(body) };
}

/** Answers the OpenAPI paths; passes on all others. */
export function openApiPaths(): FixedPaths {
  let documents: Documents | undefined;
  const kept = new Map<string, Made>();
  const protobuf: ApiAnswer = {
    status: 200,
    headers: { vary: "Accept", "cache-control": "no-cache, private", "content-type": openApiV2Protobuf },
    body: emptyDocument(),
  };
  return (request, registry) => {
    if (request.method !== "GET" || !request.path.startsWith("/openapi/")) return undefined;
    if (documents?.generation !== registry.generation) documents = new Documents(registry, kept);
    const path = request.path.replace(/\/+$/u, "");
    if (path === "/openapi/v2" && wantsProtobuf(request.headers.accept)) return protobuf;
    if (path === "/openapi/v2") return answer(request, documents.all(), "no-cache, private");
    // The index is JSON, called a text: so does the real server.
    if (path === "/openapi/v3") return answer(request, documents.index(), "no-cache, private", "text/plain; charset=utf-8");
    if (!path.startsWith("/openapi/v3/")) return undefined;
    const document = documents.at(path.slice("/openapi/v3/".length));
    if (!document) return { status: 404, headers: { "cache-control": "no-cache, private" }, body: new Uint8Array() };
    const hash = new URLSearchParams(request.query).get("hash");
    // keeps D1
    const fresh = hash === null || `"${hash}"` === document.etag;
    if (!fresh) return moved(path, document);
    return answer(request, document, hash === null ? "no-cache, private" : "public, immutable");
  };
}

function answer({ headers }: ApiRequest, { body, etag }: Document, cache: string, type = "application/json"): ApiAnswer {
  const shared = { etag, vary: "Accept", "cache-control": cache };
  if (headers["if-none-match"] === etag) return { status: 304, headers: shared, body: new Uint8Array() };
  return { status: 200, headers: { ...shared, "content-type": type }, body };
}

/** Somebody holds an old index: the document has another address now. */
function moved(path: string, { etag }: Document): ApiAnswer {
  const location = `${path}?hash=${etag.replaceAll('"', "")}`;
  return { status: 301, headers: { location, "cache-control": "no-cache, private" }, body: new Uint8Array() };
}
