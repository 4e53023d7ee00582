/** Rules of names, labels and keys. Each check answers what is wrong, in the server's words; nothing when all is well. */

const label = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const subdomain = `${label}(\\.${label})*`;
const searchLabel = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?";
const search = `${searchLabel}(\\.${searchLabel})*`;
const label1035 = "[a-z]([-a-z0-9]*[a-z0-9])?";
const qualified = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const labelValueFormat = `(${qualified})?`;
const keyFormat = "[-._a-zA-Z0-9]+";
const headerFormat = "[-A-Za-z0-9]+";
const envNameFormat = "[-._a-zA-Z][-._a-zA-Z0-9]*";

const whole = (format: string): RegExp => new RegExp(`^${format}$`);
const patterns = {
  label: whole(label),
  subdomain: whole(subdomain),
  label1035: whole(label1035),
  qualified: whole(qualified),
  labelValue: whole(labelValueFormat),
  key: whole(keyFormat),
  env: whole(envNameFormat),
  search: whole(search),
  header: whole(headerFormat),
};

const lengthComplaint = (max: number): string => `must be no more than ${max} bytes`;
/** Names are told in characters, keys and values of labels in bytes. */
const nameLengthComplaint = (max: number): string => `must be no more than ${max} characters`;

/** Text of a check by a pattern, with examples. */
export function patternComplaint(what: string, format: string, ...examples: readonly string[]): string {
  const shown = examples.map((example) => `'${example}', `).join(" or "); // two blanks before "or", as the server has it
  return `${what} (${examples.length > 0 ? `e.g. ${shown}` : ""}regex used for validation is '${format}')`;
}

const labelMax = 63;
const subdomainMax = 253;

/** RFC 1123 label: namespaces, containers, ports' hosts. At most 63 characters. */
export function dns1123Label(value: string): string[] {
  const long = value.length > labelMax ? [nameLengthComplaint(labelMax)] : [];
  if (patterns.label.test(value)) return long;
  if (patterns.subdomain.test(value)) return [...long, "must not contain dots"];
  const what =
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";
  return [...long, patternComplaint(what, label, "my-name", "123-abc")];
}

/** RFC 1123 subdomain: names of most objects. At most 253 characters. */
export function dns1123Subdomain(value: string): string[] {
  const long = value.length > subdomainMax ? [nameLengthComplaint(subdomainMax)] : [];
  if (patterns.subdomain.test(value)) return long;
  const what =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
  return [...long, patternComplaint(what, subdomain, "example.com")];
}

/** A domain names are looked up in: a subdomain that may have underscores. */
export function searchDomain(value: string): string[] {
  const long = value.length > subdomainMax ? [lengthComplaint(subdomainMax)] : [];
  if (patterns.search.test(value)) return long;
  const what =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character";
  return [...long, patternComplaint(what, search, "example.com")];
}

/** Names of HTTP headers. */
export function headerName(value: string): string[] {
  const what = "a valid HTTP header must consist of alphanumeric characters or '-'";
  return patterns.header.test(value) ? [] : [patternComplaint(what, headerFormat, "X-Header-Name")];
}

/** RFC 1035 label: names of Services. */
export function dns1035Label(value: string): string[] {
  const long = value.length > labelMax ? [nameLengthComplaint(labelMax)] : [];
  if (patterns.label1035.test(value)) return long;
  const what =
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character";
  return [...long, patternComplaint(what, label1035, "my-name", "abc-123")];
}

/** What a name in a path must not be: RBAC's names, ControllerRevisions. */
export function pathSegment(value: string): string[] {
  if (value === "." || value === "..") return [`may not be '${value}'`];
  return ["/", "%"].filter((bad) => value.includes(bad)).map((bad) => `may not contain '${bad}'`);
}

/** Keys of labels and annotations, finalizers: `[prefix/]name`. */
export function qualifiedName(value: string): string[] {
  const what = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
  const parts = value.split("/");
  const [prefix, name = ""] = parts.length === 1 ? [undefined, value] : parts;
  if (parts.length > 2) {
    const text = `a valid label key ${patternComplaint(what, qualified, "MyName", "my.name", "123-abc")}`;
    return [`${text} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`];
  }
  const complaints: string[] = [];
  if (prefix === "") complaints.push("prefix part must be non-empty");
  else if (prefix !== undefined)
    complaints.push(...dns1123Subdomain(prefix).map((why) => `prefix part ${why.replace(/ characters$/u, " bytes")}`));
  if (name === "") complaints.push("name part must be non-empty");
  else if (name.length > labelMax) complaints.push(`name part ${lengthComplaint(labelMax)}`);
  if (!patterns.qualified.test(name)) complaints.push(`name part ${patternComplaint(what, qualified, "MyName", "my.name", "123-abc")}`);
  return complaints;
}

/** Values of labels: empty, or up to 63 characters. */
export function labelValue(value: string): string[] {
  const long = value.length > labelMax ? [lengthComplaint(labelMax)] : [];
  if (patterns.labelValue.test(value)) return long;
  const what =
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
  return [...long, patternComplaint(what, labelValueFormat, "MyValue", "my_value", "12345")];
}

/** Name of a host, or all hosts of a domain: `*.example.com`. */
export function wildcardHost(value: string): string[] {
  if (!value.includes("*")) return dns1123Subdomain(value);
  if (value.startsWith("*.") && patterns.subdomain.test(value.slice(2)) && value.length <= subdomainMax) return [];
  const what =
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character";
  return [patternComplaint(what, `\\*\\.${subdomain}`, "*.example.com")];
}

/** Name of a controller: a domain and a path, `example.com/ingress`. */
export function domainPath(value: string): string[] {
  const cut = value.indexOf("/");
  if (cut <= 0 || cut === value.length - 1) return ['must be a domain-prefixed path (such as "acme.io/foo")'];
  const path = value.slice(cut + 1);
  const format = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+";
  return [...dns1123Subdomain(value.slice(0, cut)), ...(whole(format).test(path) ? [] : [patternComplaint("Invalid path", format)])];
}

/** Keys of ConfigMaps and Secrets. */
export function dataKey(value: string): string[] {
  const complaints = value.length > subdomainMax ? [`must be no more than ${subdomainMax} characters`] : [];
  const what = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
  if (!patterns.key.test(value)) complaints.push(patternComplaint(what, keyFormat, "key.name", "KEY_NAME", "key-name"));
  return [...complaints, ...parentFolder(value)];
}

/** Names of environment variables: anything printable but `=` since 1.34. */
export function envName(value: string): string[] {
  const printable = /^[\u0020-\u003c\u003e-\u007e]+$/.test(value);
  if (printable) return [];
  return ["a valid environment variable name must consist only of printable ASCII characters other than '='"];
}

function parentFolder(value: string): string[] {
  if (value === ".") return ["must not be '.'"];
  if (value === "..") return ["must not be '..'"];
  return value.startsWith("..") ? ["must not start with '..'"] : [];
}

/** Names of ports: up to 15 characters of a-z, 0-9 and hyphens, a letter among them. */
export function portName(value: string): string[] {
  const complaints: string[] = [];
  if (value.length > 15) complaints.push("must be no more than 15 characters");
  if (!/^[-a-z0-9]+$/.test(value)) complaints.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  if (!/[a-z]/.test(value)) complaints.push("must contain at least one letter (a-z)");
  if (value.includes("--")) complaints.push("must not contain consecutive hyphens");
  if (/^-|-$/.test(value)) complaints.push("must not begin or end with a hyphen");
  return complaints;
}

/** Port numbers. */
export function portNumber(value: number): string[] {
  return Number.isInteger(value) && value >= 1 && value <= 65_535 ? [] : ["must be between 1 and 65535, inclusive"];
}
