/** Named formats: `format.dns1123Label().validate(x)` gives the complaints, none when the text has the format. */
import { dns1035Label, dns1123Label, dns1123Subdomain, labelValue, qualifiedName } from "@mecha/kinds";
import { hasFormat } from "../../crd/format.ts";
import { type Cost, factor, perCharacter, perPatternCharacter, sizeAt, traversal } from "../language/cost.ts";
import { type Library } from "../language/environment.ts";
import { listType, optionalType, stringType, structType } from "../language/types.ts";
import { Opaque, Optional, sizeOf } from "../language/values.ts";
import { complaint as urlComplaint } from "./url.ts";

export const formatType = structType("kubernetes.NamedFormat");

type Rule = (text: string) => readonly string[];

class Format extends Opaque {
  readonly type = formatType;
  readonly rule: Rule;
  /** Characters of a pattern that would do the same; costs go by it. */
  readonly patternSize: number;
  constructor(rule: Rule, patternSize: number) {
    super();
    this.rule = rule;
    this.patternSize = patternSize;
  }
  equals(other: Opaque): boolean {
    return this === other;
  }
}

const ofSchema =
  (name: string, complaint: string): Rule =>
  (text) =>
    hasFormat(name, text) ? [] : [complaint];
/** A name that more is put behind, as generateName does: its last character may be a dash. */
const prefixOf =
  (rule: Rule): Rule =>
  (text) =>
    rule(text.endsWith("-") ? `${text.slice(0, -1)}a` : text);

function ofUrl(text: string): readonly string[] {
  const why = urlComplaint(text);
  return why === undefined ? [] : [`parse ${JSON.stringify(text)}: ${why}`];
}

const formats: Readonly<Record<string, Format>> = {
  dns1123Label: new Format(dns1123Label, 30),
  dns1123Subdomain: new Format(dns1123Subdomain, 60),
  dns1035Label: new Format(dns1035Label, 30),
  dns1123LabelPrefix: new Format(prefixOf(dns1123Label), 30),
  dns1123SubdomainPrefix: new Format(prefixOf(dns1123Subdomain), 60),
  dns1035LabelPrefix: new Format(prefixOf(dns1035Label), 30),
  qualifiedName: new Format(qualifiedName, 60),
  labelValue: new Format(labelValue, 40),
  uri: new Format(ofUrl, 1103),
  uuid: new Format(ofSchema("uuid", "does not match the UUID format"), 84),
  byte: new Format(ofSchema("byte", "invalid base64"), 84),
  date: new Format(ofSchema("date", "invalid date"), 140),
  datetime: new Format(ofSchema("datetime", "invalid datetime"), 140),
};

/** Longest pattern of a named format, for estimates. */
const longestPattern = 128;

const validating: Cost = {
  actual: ([format, text]) => traversal(sizeOf(text) + 1) * Math.ceil((format as Format).patternSize * perPatternCharacter),
  estimate: (args) => ({ cost: factor(factor(sizeAt(args, 1), perCharacter), longestPattern * perPatternCharacter) }),
};

export function addFormats(library: Library): void {
  for (const [name, format] of Object.entries(formats)) library.global(`format.${name}`, `format.${name}`, [], formatType, () => format);
  library.global("format.named", "format-named", [stringType], optionalType(formatType), (name: string) => {
    const format = Object.hasOwn(formats, name) ? formats[name] : undefined;
    return format ? Optional.of(format) : Optional.none;
  });
  const complaints = optionalType(listType(stringType));
  const validate = ({ rule }: Format, text: string): Optional => {
    const found = rule(text);
    return found.length > 0 ? Optional.of(found) : Optional.none;
  };
  library.member("validate", "format-validate", [formatType, stringType], complaints, validate, validating);
}
