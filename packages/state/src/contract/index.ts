/** Contract suites of the state engine's ports: the definition every adapter must meet. Uses node:test; for test files only. */
export { type StoreCapabilities, storeContract } from "./store.ts";
export type { StorePlace } from "./steps.ts";
export { type CursorsPlace, cursorsContract, feedContract, type FeedPlace } from "./feeds.ts";
export { applyHistory, type HistoryAct, historyOf, type HistoryOutcome } from "./history.ts";
