/** The reference page of the project file, from the same table that checks it. */
import { projectShape } from "./schema.ts";
import type { Fields } from "./shape.ts";
import { aliasesMax, nodesMax } from "./shape.ts";
import { projectFileMaxBytes } from "./read.ts";

const intro = `<!-- Generated from apps/mecha/src/project/schema.ts by \`UPDATE_GOLDEN=1 node --test apps/mecha/src/project/reference.test.ts\`. Do not edit. -->

# The project file

\`mecha.yaml\` says what \`mecha up\` runs. It is YAML 1.2; every mistake is reported at once, with file, line, column and field. Unknown fields are
mistakes. Limits: ${projectFileMaxBytes / 1024} KiB, ${nodesMax.toLocaleString("en")} values, ${aliasesMax.toLocaleString("en")} aliases; merge keys (\`<<\`) are not known.

\`\`\`yaml
apiVersion: mecha.dev/v1alpha1
kind: Project
metadata:
  name: shop
spec:
  functions:
    - name: cart
      directory: cart
      command: node src/main.ts
      env:
        - name: GREETING
          value: hello
  store:
    kind: sqlite
\`\`\`

A function is started as a process of its own, in its folder, with \`HOST\` and \`PORT\` in its environment, and must answer the Cloudstate or
the Kalix protocol there. When it ends it is started again: after 1 s, then 2, 4, 8 and every 10 s; 30 s of health start the count over.

| Field | Value | Default | Meaning |
| --- | --- | --- | --- |
`;

/** The page's text. */
export function renderProjectReference(): string {
  return intro + rows(projectShape.fields ?? {}, "").join("");
}

function rows(fields: Fields, above: string): string[] {
  return Object.entries(fields).flatMap(([name, { shape, doc, fallback }]) => {
    const isList = shape.expected.startsWith("a list");
    const path = `${above}${name}${isList ? "[]" : ""}`;
    const below = shape.fields ? rows(shape.fields, `${path}.`) : [];
    const value = shape.fields ? (isList ? "list of maps" : "map") : shape.expected;
    return [`| \`${path}\` | ${cell(value)} | ${cell(fallback ? fallback.text : "required")} | ${cell(doc)} |\n`, ...below];
  });
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
