import { randomFillSync, randomInt } from "node:crypto";
import type { Random } from "@mecha/kit";

/** The operating system's randomness; fit for secrets. */
export const hostRandom: Random = {
  below: (belowExclusive) => randomInt(belowExclusive),
  bytes: (length) => randomFillSync(new Uint8Array(length)),
};
