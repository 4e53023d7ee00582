import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { noLog } from "@mecha/kit";
import { FakeClock, SeededRandom } from "@mecha/kit/testing";
import { feedContract, storeContract } from "@mecha/state/contract";
import { openSqliteStore } from "./index.ts";

for (const durability of ["full", "relaxed"] as const) {
  const place = async () => {
    const dir = mkdtempSync(join(tmpdir(), "mecha-store-"));
    return {
      open: () => openSqliteStore({ dir, durability, clock: new FakeClock(), log: noLog, random: new SeededRandom(1) }),
      async [Symbol.asyncDispose]() {
        rmSync(dir, { recursive: true });
      },
    };
  };
  storeContract(`sqlite ${durability}`, { persistent: true }, place);
  feedContract(`sqlite ${durability}`, { persistent: true }, place);
}
