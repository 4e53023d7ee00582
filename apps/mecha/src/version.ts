import { readFileSync } from "node:fs";

/** This release, from the package itself. */
export const version = (JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { readonly version: string })
  .version;
