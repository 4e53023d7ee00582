import { storeContract } from "@mecha/state/contract";
import { openMemoryStore } from "./index.ts";

storeContract("memory", { persistent: false }, async () => ({
  open: async () => openMemoryStore(),
  async [Symbol.asyncDispose]() {},
}));
