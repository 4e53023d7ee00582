/** The proxy-side cases of the Cloudstate TCK: P1–P30. */
import type { Case } from "../kit/context.ts";
import { actionCases } from "./action.ts";
import { crdtCases } from "./crdt.ts";
import { discoveryCases } from "./discovery.ts";
import { eventLogCases } from "./event-log.ts";
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
  ...eventLogCases,
];
