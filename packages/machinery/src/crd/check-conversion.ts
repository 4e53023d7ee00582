/**
 * How a CRD's versions are converted. This server calls no webhooks: a CRD with one is taken, and served in its storage version (`servedVersions`), as long as
 * nothing may be stored in another.
 */
import { dns1035Label, dns1123Subdomain, type FieldProblem } from "@mecha/kinds";
import { type Crd, type CrdConversion, servedVersions, type WebhookClientConfig } from "./crd.ts";
import { forbidden, invalidValue, notSupported, required } from "./problems.ts";

const webhookField = "spec.conversion.webhookClientConfig";

export function* checkConversion({ spec, status }: Crd): Generator<FieldProblem> {
  const { strategy, webhook } = spec.conversion ?? { strategy: "None" };
  if (strategy === "Webhook") {
    yield* checkWebhook(webhook);
    yield* checkStored(spec, status?.storedVersions ?? []);
  } else if (strategy === "") yield required("spec.conversion.strategy");
  else if (strategy !== "None") yield notSupported("spec.conversion.strategy", strategy, ["None", "Webhook"]);
  else if (webhook !== undefined) yield forbidden(webhookField, "should not be set when strategy is not set to Webhook");
}

function* checkWebhook(webhook: CrdConversion["webhook"]): Generator<FieldProblem> {
  const { clientConfig, conversionReviewVersions } = webhook ?? {};
  if (!clientConfig) yield required(webhookField, "required when strategy is set to Webhook");
  else yield* checkClient(clientConfig);
  yield* checkReviews(conversionReviewVersions ?? []);
}

function* checkClient({ url, service }: WebhookClientConfig): Generator<FieldProblem> {
  if ((url === undefined) === (service === undefined)) yield required(webhookField, "exactly one of url or service is required");
  else if (url !== undefined) yield* checkUrl(url);
  else if (service) yield* checkService(service);
}

/** Of URLs that webhooks may have. */
const form = "; desired format: https://host[/path]";
/**
 * Scheme, user, host, path, query and fragment, each possibly absent: a server takes texts as URLs that are none by the WHATWG's rules. Every text fits, so that
 * nothing is tried twice.
 */
const urlParts = /^(?:([a-z][a-z\d+.-]*):)?(?:\/\/(?:([^/?#@]*)@)?([^/?#]*))?[^?#]*(?:\?([^#]*))?(?:#(.*))?$/isu;

function* checkUrl(url: string): Generator<FieldProblem> {
  const field = `${webhookField}.url`;
  const [, scheme = "", user = "", host = "", query = "", fragment = ""] = urlParts.exec(url) ?? [];
  if (scheme.toLowerCase() !== "https") yield invalidValue(field, scheme.toLowerCase(), `'https' is the only allowed URL scheme${form}`);
  if (host === "") yield invalidValue(field, host, `host must be specified${form}`);
  if (user !== "") yield invalidValue(field, user, "user information is not permitted in the URL");
  if (fragment !== "") yield invalidValue(field, fragment, "fragments are not permitted in the URL");
  if (query !== "") yield invalidValue(field, query, "query parameters are not permitted in the URL");
}

const portMax = 65_535;

function* checkService({ name, namespace, path = "", port = 443 }: NonNullable<WebhookClientConfig["service"]>): Generator<FieldProblem> {
  const field = `${webhookField}.service`;
  if (!name) yield required(`${field}.name`);
  if (!namespace) yield required(`${field}.namespace`);
  if (!(port >= 1 && port <= portMax))
    yield invalidValue(`${field}.port`, port, `port is not valid: must be between 1 and ${portMax}, inclusive`);
  for (const problem of pathProblems(path)) yield invalidValue(`${field}.path`, path, problem);
}

function* pathProblems(path: string): Generator<string> {
  if (path === "" || path === "/") return;
  if (!path.startsWith("/")) yield "must start with a '/'";
  const segments = path.slice(1).replace(/\/$/u, "").split("/");
  for (const [index, segment] of segments.entries()) {
    if (segment === "") yield `segment[${String(index)}] may not be empty`;
    else for (const problem of dns1123Subdomain(segment)) yield `segment[${String(index)}]: ${problem}`;
  }
}

/** Versions of ConversionReview a cluster speaks. */
const reviews = ["v1", "v1beta1"];

function* checkReviews(versions: readonly string[]): Generator<FieldProblem> {
  const field = "spec.conversion.conversionReviewVersions";
  if (versions.length === 0) {
    yield required(field);
    return;
  }
  const seen = new Set<string>();
  for (const [index, version] of versions.entries()) {
    if (seen.has(version)) yield invalidValue(`${field}[${String(index)}]`, version, "duplicate version");
    seen.add(version);
    for (const problem of dns1035Label(version)) yield invalidValue(`${field}[${String(index)}]`, version, problem);
  }
  if (!versions.some((version) => reviews.includes(version)))
    yield invalidValue(field, versions, `must include at least one of ${reviews.join(", ")}`);
}

/** What is stored in another version would have to be converted to be read. */
function* checkStored({ versions }: Crd["spec"], stored: readonly string[]): Generator<FieldProblem> {
  const storage = versions.find((version) => version.storage)?.name;
  const others = stored.filter((name) => name !== storage);
  if (others.length === 0) return;
  yield forbidden(
    "spec.conversion.strategy",
    `this server calls no webhooks, and objects may be stored as ${others.join(", ")}: once there are none, take ${others.length > 1 ? "these" : "it"} out of status.storedVersions`,
  );
}

/** What whoever brings a CRD with a webhook should know. */
export function conversionWarnings(crd: Crd): readonly string[] {
  if (crd.spec.conversion?.strategy !== "Webhook") return [];
  const served = servedVersions(crd).map(({ name }) => name);
  const left = crd.spec.versions.filter((version) => version.served && !version.storage).map(({ name }) => name);
  if (left.length === 0) return [];
  const instead = served.length > 0 ? `only ${served.join()} is served` : "no version is served";
  return [`spec.conversion: this server calls no webhooks: ${instead}, and not ${left.join(", ")}`];
}
