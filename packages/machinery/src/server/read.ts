/**
 * Getting and listing. Everything is in memory and up to date, so a list is always consistent, of the newest revision unless an older one is asked for.
 *
 * L1 the pages of one list are of one revision: the first page's. When it is forgotten the client gets 410, and begins again or goes on with what there is now
 */
import type { KubeObject } from "@mecha/kinds";
import { matchesFields } from "../selector/fields.ts";
import { matchesLabels } from "../selector/labels.ts";
import { StatusError } from "../status.ts";
import type { Shelved } from "../watch/shelf.ts";
import { type ContinueToken, continueToken, newest, parseContinue } from "./continue.ts";
import { presented, type ServerParts, shelfOf, type Target } from "./context.ts";
import { badRequest, type ListOptions } from "./options.ts";

export interface Listing {
  /** resourceVersion, continue, remainingItemCount. */
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly objects: readonly KubeObject[];
}

export function list(parts: ServerParts, target: Target, options: ListOptions): Listing {
  const { definition } = target;
  const token = options.continueToken === undefined ? undefined : parseContinue(options.continueToken);
  if (token && options.resourceVersion !== undefined && options.resourceVersion !== "0")
    throw badRequest("specifying resource version is not allowed when using continue");
  if (token) checkFuture(parts, token.revision);
  const asked = token ? (token.revision === newest ? undefined : token.revision) : exactRevision(parts, options);
  const revision = asked ?? parts.cache.revision;
  const entries = entriesAt(parts, target, revision, token);
  const matching = selects(target, options);
  const from = token === undefined ? 0 : entries.findIndex(({ key }) => key > token.after);
  const found: Shelved[] = [];
  // Whoever takes any version gets all at once.
  const limit = options.resourceVersion === "0" ? 0 : options.limit;
  let at = from < 0 ? entries.length : from;
  for (; at < entries.length && (limit === 0 || found.length < limit); at++) {
    const entry = entries[at];
    if (entry && matching(presented(entry, definition))) found.push(entry);
  }
  const more = limit > 0 && found.length === limit && at < entries.length;
  return {
    objects: found.map((entry) => presented(entry, definition)),
    metadata: {
      resourceVersion: String(revision),
      ...(more && { continue: continueToken({ revision, after: found.at(-1)?.key ?? "" }) }),
      // With a selector the rest is not counted, as the real server does not.
      ...(more && options.labels.length === 0 && options.fields.length === 0 && { remainingItemCount: entries.length - at }),
    },
  };
}

/** Does an object belong to what was asked for? */
export function selects(
  { definition, namespace }: Target,
  { labels, fields }: Pick<ListOptions, "labels" | "fields">,
): (object: KubeObject) => boolean {
  return (object) =>
    (namespace === "" || object.metadata.namespace === namespace) &&
    matchesLabels(labels, object.metadata.labels) &&
    matchesFields(fields, object, definition);
}

function entriesAt(
  parts: ServerParts,
  { definition, namespace }: Target,
  revision: number,
  token: ContinueToken | undefined,
): readonly Shelved[] {
  const entries = shelfOf(parts, definition).listAt(revision, namespace === "" ? undefined : namespace);
  if (entries) return entries;
  if (!token) throw new StatusError("Expired", "The resourceVersion for the provided list is too old.");
  const refusal = new StatusError(
    "Expired",
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the " +
      "continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects " +
      "that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.",
  );
  refusal.continueToken = continueToken({ ...token, revision: newest });
  throw refusal;
}

/** The revision a list must be of; `undefined`: the newest, which is not older than any. @throws StatusError */
function exactRevision(parts: ServerParts, { resourceVersion, resourceVersionMatch, limit }: ListOptions): number | undefined {
  if (resourceVersion === undefined) return undefined;
  const revision = parseRevision(resourceVersion);
  checkFuture(parts, revision);
  // Without a match rule a limited list is exact, as it always was.
  const exact = resourceVersionMatch === "Exact" || (resourceVersionMatch === undefined && limit > 0 && revision > 0);
  return exact ? revision : undefined;
}

/**
 * @param refuse Default: 400, as a list answers it; a watch and a get answer 500 without a reason.
 * @throws StatusError for what is no revision
 */
export function parseRevision(text: string, refuse = (why: string): StatusError => badRequest(`invalid resource version: ${why}`)): number {
  const revision = Number(text);
  const why = !/^\d+$/u.test(text) ? "invalid syntax" : Number.isSafeInteger(revision) ? "" : "value out of range";
  const shown = JSON.stringify(text);
  if (why !== "") throw refuse(`resourceVersion: Invalid value: ${shown}: strconv.ParseUint: parsing ${shown}: ${why}`);
  return revision;
}

export const unknownFailure = (why: string): StatusError => new StatusError("Unknown", why);

/** @throws StatusError Timeout: no such revision has been written yet. */
export function checkFuture({ cache }: ServerParts, revision: number, before = "Timeout: "): void {
  if (revision > cache.revision)
    throw new StatusError("Timeout", `${before}Too large resource version: ${revision}, current: ${cache.revision}`, {
      causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
      retryAfterSeconds: 1,
    });
}
