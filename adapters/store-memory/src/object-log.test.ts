import { objectLogContract } from "@mecha/machinery/contract";
import { openMemoryObjectLog } from "./object-log.ts";

objectLogContract("memory", async () => openMemoryObjectLog());
