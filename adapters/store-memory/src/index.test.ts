import { storeContract } from "@mecha/state/contract";
import { openMemoryStore } from "./index.ts";

storeContract("memory", async () => ({
  persistent: false,
  open: async () => openMemoryStore(),
  async [Symbol.asyncDispose]() {},
}));
