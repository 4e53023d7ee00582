/** Asks the real server again for every expression of packages/machinery's table, and writes its answers there. By hand: node tests/tools/crd-oracle/renew.ts */
import { readFileSync, writeFileSync } from "node:fs";
import { askOracle, builtOracle } from "./oracle.ts";

const file = new URL("../../../packages/machinery/src/cel/gen/expressions.json", import.meta.url);
const rows = JSON.parse(readFileSync(file, "utf8")) as readonly { readonly expression: string }[];
const answers = askOracle(
  builtOracle(),
  rows.map(({ expression }) => ({ expression })),
);
const lines = rows.map(({ expression }, index) => {
  const { issues, error, value = "", max } = answers[index] ?? { problems: [] };
  const told = issues !== undefined ? { issues } : error !== undefined ? { error } : { value };
  return `  ${JSON.stringify({ expression, ...told, ...(max !== undefined && { max }) })}`;
});
writeFileSync(file, `[\n${lines.join(",\n")}\n]\n`);
