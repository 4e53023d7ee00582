/** Guides whose commands tests run: fenced blocks by the section they stand in. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { repository } from "./files.ts";

export interface Block {
  /** Text of the `##` heading above it. */
  readonly section: string;
  /** `sh`, `text`, … */
  readonly language: string;
  readonly text: string;
}

/** Every fenced block of a page, in order. */
export async function blocksOf(page: string): Promise<readonly Block[]> {
  const text = await readFile(join(repository, page), "utf8");
  const blocks: Block[] = [];
  for (const part of text.split(/^## /mu)) {
    const section = part.split("\n", 1)[0] ?? "";
    for (const [, language = "", content = ""] of part.matchAll(/^```(\w+)\n(.*?)^```/gmsu))
      blocks.push({ section, language, text: content });
  }
  return blocks;
}
