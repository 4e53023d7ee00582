/** References of container images, as container runtimes read them: `registry:port/path/name:tag@digest`, where all but the name may be left out. */

const label = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
const host = String.raw`(?:${label}(?:\.${label})*|\[[a-fA-F0-9:]+\])(?::\d+)?`;
const part = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";
const digest = "(?:sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128})";
const reference = new RegExp(String.raw`^(?:(${host})/)?(${part}(?:/${part})*)(?::(\w[\w.-]{0,127}))?(?:@(${digest}))?$`);
/** An image's id would be taken for a name. */
const id = /^[a-f0-9]{64}$/;
/** The longest there is: name, tag and digest. Longer texts are not looked at. */
const maxLength = 600;
/** Of host and path together, characters. */
const nameMaxLength = 255;
/** What stands before the names that say no host. */
const usualHost = "docker.io/";
const usualFolder = "library/";

/** A host has a dot or a port, is `localhost`, or has capitals, which no path has. */
const isHost = (text: string): boolean => /[.:]/.test(text) || text === "localhost" || text !== text.toLowerCase();

/** Tag of an image reference: `latest` when it has neither tag nor digest, empty when there is only a digest, or when it is no reference. */
export function imageTag(image: string): string {
  if (image.length > maxLength) return "";
  const slash = image.indexOf("/");
  const hasHost = slash >= 0 && isHost(image.slice(0, slash));
  const whole = hasHost ? image : `${usualHost}${slash < 0 ? usualFolder : ""}${image}`;
  const [, registry = "", path = "", tag, sum] = reference.exec(whole) ?? [];
  const fits = path !== "" && !id.test(image) && registry.length + 1 + path.length <= nameMaxLength;
  return fits ? (tag ?? (sum === undefined ? "latest" : "")) : "";
}
