import { feedContract, storeContract } from "@mecha/state/contract";
import { openMemoryStore } from "./index.ts";

const place = async () => ({
  open: async () => openMemoryStore(),
  async [Symbol.asyncDispose]() {},
});

storeContract("memory", { persistent: false }, place);
feedContract("memory", { persistent: false }, place);
