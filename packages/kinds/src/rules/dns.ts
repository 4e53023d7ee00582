/** Rules of how a pod looks names up, and of names it is told. */
import { objectsAt, textAt, textsAt } from "../access.ts";
import type { JsonObject } from "../object.ts";
import { invalidValue, problemsOf, requiredValue } from "../problem.ts";
import type { FieldProblem } from "../resource.ts";
import { ipFamily } from "../values/ip.ts";
import { dns1123Subdomain, searchDomain } from "./names.ts";

/** Limits of resolv.conf: the C library's, and the kubelet's. */
const nameserversMax = 3;
const searchesMax = 32;
const searchCharactersMax = 2048;

const validateIp = (text: string, field: string): FieldProblem[] =>
  ipFamily(text) ? [] : [invalidValue(field, text, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")];

/** `dnsConfig`, beside the policy, which may need one. */
export function validateDns(config: JsonObject | undefined, policy: string, field: string): FieldProblem[] {
  const nameservers = textsAt(config, "nameservers");
  const problems: FieldProblem[] = [];
  if (policy === "None") {
    if (!config) return [requiredValue(field, "must provide `dnsConfig` when `dnsPolicy` is None")];
    if (nameservers.length === 0)
      return [requiredValue(`${field}.nameservers`, "must provide at least one DNS nameserver when `dnsPolicy` is None")];
  }
  if (!config) return [];
  if (nameservers.length > nameserversMax)
    problems.push(invalidValue(`${field}.nameservers`, nameservers, `must not have more than ${nameserversMax} nameservers`));
  problems.push(...nameservers.flatMap((text, i) => validateIp(text, `${field}.nameservers[${i}]`)));
  problems.push(...validateSearches(textsAt(config, "searches"), `${field}.searches`));
  for (const [i, option] of objectsAt(config, "options").entries())
    if (textAt(option, "name") === "") problems.push(requiredValue(`${field}.options[${i}]`, "must not be empty"));
  return problems;
}

function validateSearches(searches: readonly string[], field: string): FieldProblem[] {
  const problems: FieldProblem[] = [];
  if (searches.length > searchesMax) problems.push(invalidValue(field, searches, `must not have more than ${searchesMax} search paths`));
  if (searches.join(" ").length > searchCharactersMax)
    problems.push(
      invalidValue(field, searches, `must not have more than ${searchCharactersMax} characters (including spaces) in the search list`),
    );
  for (const [i, search] of searches.entries()) {
    const domain = search === "." ? "" : search.replace(/\.$/u, "");
    if (search !== ".") problems.push(...problemsOf(`${field}[${i}]`, domain, searchDomain(domain)));
  }
  return problems;
}

/** Lines of the hosts file. */
export function validateHostAliases(aliases: readonly JsonObject[], field: string): FieldProblem[] {
  return aliases.flatMap((alias, i) => {
    const place = `${field}[${i}]`;
    const names = textsAt(alias, "hostnames").flatMap((name, j) => problemsOf(`${place}.hostnames[${j}]`, name, dns1123Subdomain(name)));
    return [...validateIp(textAt(alias, "ip"), `${place}.ip`), ...names];
  });
}
