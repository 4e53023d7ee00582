/** The proxy-side cases of the Cloudstate TCK that have landed: P1–P27. Event logs (P28–P30) come with that feature. */
import type { Case } from "../kit/context.ts";
import { actionCases } from "./action.ts";
import { crdtCases } from "./crdt.ts";
import { discoveryCases } from "./discovery.ts";
import { eventSourcedCases } from "./event-sourced.ts";
import { reflectionCases } from "./reflection.ts";
import { valueEntityCases } from "./value-entity.ts";

/** In the order in which they must run: P1 looks at the discovery that the proxy's start causes. */
export const proxyCases: readonly Case[] = [
  ...discoveryCases,
  ...actionCases,
  ...valueEntityCases,
  ...eventSourcedCases,
  ...crdtCases,
  ...reflectionCases,
];
