/** What `kubectl explain` says of the types Kubernetes has: in our own words, for every kind, and for the fields people write most. */
import { groupTexts } from "./groups.ts";
import { metaTexts } from "./meta.ts";
import { podTexts } from "./pod.ts";
import { coreTexts } from "./core.ts";

/** Sentences of one group's types: `Type` or `Type.field`. */
export type Texts = Readonly<Record<string, string>>;

const byPrefix: readonly (readonly [prefix: string, texts: Texts])[] = [
  ["io.k8s.apimachinery.pkg.apis.meta.v1.", metaTexts],
  ["io.k8s.apimachinery.pkg.util.intstr.", { IntOrString: "A number, or a text: the number of something, or its name or share (25%)." }],
  [
    "io.k8s.apimachinery.pkg.api.resource.",
    { Quantity: "An amount with a suffix: 500m is half of one, 1k a thousand, 1Ki 1,024. The server writes each amount in one form only." },
  ],
  ["io.k8s.api.core.v1.", { ...coreTexts, ...podTexts }],
  ...groupTexts,
];

let texts: ReadonlyMap<string, string> | undefined;

function textOf(name: string): string | undefined {
  texts ??= new Map(byPrefix.flatMap(([prefix, group]) => Object.entries(group).map(([key, text]) => [prefix + key, text] as const)));
  return texts.get(name);
}

/** Sentence about a type, by its full name. */
export function typeText(name: string): string | undefined {
  return textOf(name);
}

/** Fields every kind has. */
const common: Texts = {
  apiVersion: "Group and version of the object's kind, such as apps/v1; v1 for the core group.",
  kind: "What the object is, such as Deployment.",
  metadata: "Name, namespace, labels and what the server keeps about the object.",
  spec: "What is wanted.",
  status: "What is: written by whoever brings about what is wanted.",
  items: "The objects.",
};

/** Sentence about a field of a type. */
export function fieldText(type: string, field: string): string | undefined {
  return textOf(`${type}.${field}`) ?? common[field];
}
