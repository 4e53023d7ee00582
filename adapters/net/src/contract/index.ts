/** What every transport of gRPC calls must do. A transport's whole contract test is one call of this. */
import { callContract } from "./calls.ts";
import { connectionContract } from "./connections.ts";
import type { Transport } from "./kit.ts";

export function transportContract(name: string, transport: Transport): void {
  callContract(name, transport);
  connectionContract(name, transport);
}
export type { Transport } from "./kit.ts";
