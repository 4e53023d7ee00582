/** What plain words of YAML stand for, as the API server's reader has it: neither that of YAML 1.1 nor of 1.2. Pure. */
import type { ScalarTag, Tags } from "yaml";

const [intTag, floatTag, binaryTag] = ["int", "float", "binary"].map((name) => `tag:yaml.org,2002:${name}`) as [string, string, string];
/** How the message of a number that JSON cannot hold begins. */
export const unsupported = "json: unsupported value: ";

const plain = (text: string): string => text.replaceAll("_", "");

/** `017` and `0o17` are 15; what is too big becomes a float. */
const wholeNumber: ScalarTag = {
  tag: intTag,
  default: true,
  test: /^[-+]?(?:0[bB][01_]+|0[oO]?[0-7_]+|0[xX][\dA-Fa-f_]+|0|[1-9][\d_]*)$/,
  resolve(text) {
    const digits = plain(text)
      .replace(/^[-+]/u, "")
      .replace(/^0(?=[0-7])/u, "0o");
    const value = Number(digits);
    return text.startsWith("-") && value !== 0 ? -value : value;
  },
};

/** `08` is one too; what no double holds is a text. */
const decimal: ScalarTag = {
  tag: floatTag,
  default: true,
  test: /^[-+]?(?:\.\d[\d_]*|\d[\d_]*(?:\.[\d_]*)?)(?:[Ee][-+]?\d+)?$/,
  resolve(text) {
    const value = Number(plain(text));
    return Number.isFinite(value) ? value : text;
  },
};

const noNumber: ScalarTag = {
  tag: floatTag,
  default: true,
  test: /^(?:[-+]?\.(?:inf|Inf|INF)|\.nan|\.NaN|\.NAN)$/,
  resolve(text, onError) {
    const name = /nan/iu.test(text) ? "NaN" : text.startsWith("-") ? "-Inf" : "+Inf";
    onError(unsupported + name);
    return text;
  },
};

/** Base64 of a text. */
const binary: ScalarTag = {
  tag: binaryTag,
  default: false,
  resolve(text, onError) {
    try {
      return new TextDecoder().decode(Uint8Array.from(atob(text), (char) => char.charCodeAt(0)));
    } catch {
      onError("!!binary value contains invalid base64 data");
      return text;
    }
  },
};

const replaced: ReadonlySet<string> = new Set([intTag, floatTag, binaryTag, "tag:yaml.org,2002:timestamp"]);

/** The tags of YAML 1.1 with these words for numbers, without dates. */
export function goTags(tags: Tags): Tags {
  return [...tags.filter((tag) => typeof tag === "string" || !replaced.has(tag.tag)), wholeNumber, decimal, noNumber, binary];
}

const mergeTag = "tag:yaml.org,2002:merge";
const breaks = /[\u0085\u2028\u2029\uFEFF]/gu;

/** Signs some readers take for the end of a line, or leave out, are written by number; a key that says to merge is none in quotes. */
const quotedText: ScalarTag = {
  tag: "tag:yaml.org,2002:str",
  default: true,
  identify: (value) => typeof value === "string" && (value === "<<" || value.search(breaks) >= 0),
  resolve: (text) => text,
  stringify: ({ value }) =>
    JSON.stringify(value).replaceAll(breaks, (sign) => String.raw`\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`),
};

/** The tags of YAML 1.1 and these words: a text that any reader takes for something else is quoted. */
export function cautiousTags(tags: Tags): Tags {
  return [quotedText, ...tags.filter((tag) => tag !== "merge" && (tag as ScalarTag).tag !== mergeTag), wholeNumber, decimal];
}
