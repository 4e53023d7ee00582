import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { noLog } from "@mecha/kit";
import { topicLogContract } from "@mecha/binding/contract";
import { openSqliteTopics } from "../index.ts";

for (const durability of ["full", "relaxed"] as const)
  topicLogContract(`sqlite ${durability}`, { persistent: true }, async () => {
    const dir = mkdtempSync(join(tmpdir(), "mecha-topics-"));
    return {
      open: (retention) => openSqliteTopics({ dir, durability, retention, log: noLog }),
      async [Symbol.asyncDispose]() {
        rmSync(dir, { recursive: true });
      },
    };
  });
