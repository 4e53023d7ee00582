import type { Action } from "./define/action.ts";
import type { CrdtComponent } from "./define/crdt.ts";
import type { EventSourced } from "./define/event-sourced.ts";
import type { ValueEntityComponent } from "./define/value-entity.ts";

/** Anything `serve` takes. */
export type Component = EventSourced<unknown> | ValueEntityComponent<unknown> | CrdtComponent<unknown> | Action<unknown>;
