/** The path and query of any request target (RFC 9112 §3.2); `*` and authorities become `/`. */
export function originForm(target: string): string {
  if (target.startsWith("/")) return target;
  const absolute = /^[a-zA-Z][a-zA-Z0-9+.-]*:\/\/[^/?#]*([^#]*)/.exec(target)?.[1] ?? "";
  return absolute.startsWith("/") ? absolute : `/${absolute}`;
}
