import { topicLogContract } from "@mecha/binding/contract";
import { openMemoryTopics } from "./topics.ts";

topicLogContract("memory", { persistent: false }, async () => ({
  open: async (retention) => openMemoryTopics(retention),
  async [Symbol.asyncDispose]() {},
}));
