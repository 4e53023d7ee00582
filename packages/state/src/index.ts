export type { ActiveEntity, Answer, StateEngine, StreamedCall, StreamedCallEvents } from "./engine.ts";
export { type Change, engineDefaults, type EngineLimits, type EngineOptions } from "./limits.ts";
export type * from "./model.ts";
export { entityIdMaxBytes } from "./model.ts";
export { type EnginePorts, openEngine } from "./open.ts";
export type { EntityHandle, EntityListing, EntityRecord, Step, Store, StoredEvent, Verdict } from "./store.ts";
export { checkAddress, eventsMax, eventsPageBytes, listMax, noEntity, rowsMax } from "./store.ts";
export type * from "./rows.ts";
