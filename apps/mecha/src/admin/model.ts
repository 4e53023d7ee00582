/** JSON of the admin API (docs/reference/admin-api.md), shared by the server, the command line and, by name, the page. Times are ISO 8601. */
import type { StateFile } from "@mecha/store-sqlite";

export interface StatusJson {
  readonly project: string;
  readonly version: string;
  readonly pid: number;
  readonly startedAt: string;
  /** `ready` once every function is served. */
  readonly state: "starting" | "ready" | "draining";
  /** `tls`: callers speak TLS. */
  readonly ingress: { readonly host: string; readonly port: number; readonly tls?: boolean };
  /** Where peers come in, and the other processes that hold the same CRDTs. Absent: there are none. */
  readonly cluster?: { readonly node: string; readonly host: string; readonly port: number; readonly peers: readonly PeerJson[] };
  readonly store: { readonly kind: string; readonly directory?: string };
  readonly entities: { readonly active: number };
  readonly functions: readonly FunctionJson[];
  /** Lines to try, from the project file, made true for this run. */
  readonly try: readonly { readonly title: string; readonly command: string }[];
}

export interface PeerJson {
  readonly name: string;
  readonly address: string;
  readonly connected: boolean;
}

export interface FunctionJson {
  readonly name: string;
  /** `starting` (process up, not discovered), `ready`, `waiting` (ended, starts again), `refused` (cannot be run as it is), `stopped`. */
  readonly state: "starting" | "ready" | "waiting" | "refused" | "stopped";
  /** What is wrong, when something is. */
  readonly problem?: string;
  /** Absent for a function somebody else started. */
  readonly pid?: number;
  readonly host: string;
  readonly port?: number;
  readonly restarts: number;
  /** What it said about itself: library, runtime, version. */
  readonly about?: string;
  readonly services: readonly ServiceJson[];
}

export interface ServiceJson {
  readonly name: string;
  readonly kind: "eventSourced" | "value" | "crdt" | "action";
  readonly persistenceId: string;
  readonly methods: readonly MethodJson[];
}

export interface MethodJson {
  readonly name: string;
  readonly input: string;
  readonly output: string;
  readonly streamedIn: boolean;
  readonly streamedOut: boolean;
  /** HTTP routes, `GET /carts/{cart_id}`. */
  readonly http: readonly string[];
}

export interface LiveJson {
  readonly phase: string;
  readonly queued: number;
}

export interface EntityJson {
  readonly namespace: string;
  readonly service: string;
  readonly persistenceId: string;
  readonly id: string;
  readonly kind: "eventSourced" | "value" | "crdt";
  /** Last event; for a value entity its version. */
  readonly sequence: number;
  readonly snapshotSequence?: number;
  /** The function that serves it now. Absent while none does. */
  readonly owner?: string;
  /** Present while the entity is active. */
  readonly live?: LiveJson;
}

export interface EntityPageJson {
  readonly entities: readonly EntityJson[];
  /** Pass as `after` for the next page. Absent on the last one. */
  readonly next?: string;
}

/** A stored payload; `json` when it could be decoded, else `base64` and why not. */
export interface PayloadJson {
  readonly type: string;
  readonly json?: unknown;
  readonly base64?: string;
  readonly problem?: string;
}

export interface EntityDetailJson extends EntityJson {
  /** Event sourced: the newest snapshot. The state itself is the function's. */
  readonly snapshot?: { readonly sequence: number; readonly payload: PayloadJson };
  /** Value entities. */
  readonly value?: PayloadJson;
  readonly crdt?: CrdtJson;
}

export interface CrdtJson {
  /** For good: a tombstone is left. */
  readonly deleted: boolean;
  /**
   * `gcounter`, `pncounter`, `gset`, `orset`, `lwwregister`, `flag`, `ormap`, `vote`, `countermap`, `registermap`, `multimap`. Absent: nobody has
   * changed it yet, or it was deleted.
   */
  readonly type?: string;
  readonly value?: CrdtValueJson;
  /** Who has a row in this store: each run of each node has its own; `retired` is what ended runs of a node left. */
  readonly replicas: readonly { readonly node: string; readonly incarnation: string; readonly bytes: number }[];
}

/** Counters: text; flags: true or false; registers: a payload; sets: payloads; maps: entries. Of a set or map at most 1,000. */
export type CrdtValueJson = string | boolean | PayloadJson | readonly (PayloadJson | CrdtEntryJson)[];

export interface CrdtEntryJson {
  readonly key: PayloadJson;
  readonly type: string;
  readonly value: CrdtValueJson;
}

export interface EventJson {
  readonly sequence: number;
  readonly time: string;
  /** Name of the command that caused it. */
  readonly cause: string;
  readonly commandId?: string;
  readonly trace?: string;
  readonly payload: PayloadJson;
}

export interface HistoryJson {
  /** Ascending. */
  readonly events: readonly EventJson[];
  /** Pass as `before` for the page before this one. */
  readonly before?: number;
  /** Pass as `after` for the page behind this one. */
  readonly after?: number;
}

/** What an event-sourced entity answered from its past. */
export interface PastJson {
  /** The last event it knew. */
  readonly sequence: number;
  readonly command: string;
  readonly answer: PayloadJson;
}

/** An effect or a forward that is not delivered yet, or was given up. */
export interface MessageJson {
  readonly id: number;
  /** `waiting`: it is tried again by itself. `dead`: it was given up. */
  readonly state: "waiting" | "dead";
  /** Absent: an action's. */
  readonly source?: { readonly service: string; readonly id: string };
  /** Without `id`: an action. */
  readonly target: { readonly service: string; readonly id?: string; readonly command: string };
  /** `side effect of shop.Cart.AddItem` */
  readonly origin: string;
  /** When it was asked for. */
  readonly time: string;
  readonly attempts: number;
  /** When it is tried again. */
  readonly due?: string;
  /** Of the last attempt. */
  readonly failure?: string;
  /** Idempotency key at the target. */
  readonly key: string;
  readonly payload: PayloadJson;
}

export interface MessagePageJson {
  readonly messages: readonly MessageJson[];
  /** Pass as `after` for the next page. Absent on the last one. */
  readonly next?: string;
}

/** A durable timer of an entity. */
export interface TimerJson {
  readonly service: string;
  readonly id: string;
  /** Unique in its entity. */
  readonly name: string;
  /** When it fires next, or was due when it was parked. */
  readonly due: string;
  /** How manieth firing that is since the timer was set. */
  readonly firing: number;
  /** `parked`: it was given up and does not fire any more until it is set anew. */
  readonly state: "set" | "parked";
  /** Why the last firing was given up. */
  readonly failure?: string;
  /** It fires again and again; neither of the two: once. */
  readonly everyMs?: number;
  readonly cron?: string;
  readonly timeZone?: string;
  /** What becomes of firings missed while nothing could fire them. */
  readonly catchUp: "once" | "all" | "skip";
  /** What it sends its entity. */
  readonly command: string;
  readonly payload: PayloadJson;
}

export interface TimerPageJson {
  readonly timers: readonly TimerJson[];
  /** Pass as `after` for the next page. Absent on the last one. */
  readonly next?: string;
}

/** An `event: changes` of the live stream. */
export interface ChangesJson {
  readonly changes: readonly {
    readonly service: string;
    readonly id: string;
    readonly sequence: number;
    readonly cause: string;
    readonly time: string;
  }[];
  /** Entities that changed too and are left out: look again. */
  readonly more: number;
}

/** A backup that was begun. */
export type BackupJson =
  | { readonly id: string; readonly state: "copying"; readonly pages: number; readonly of: number }
  /** `folder` lies in the state folder; whoever asked takes it away. `files`: what is in it. */
  | { readonly id: string; readonly state: "done"; readonly folder: string; readonly files: readonly StateFile[] }
  | { readonly id: string; readonly state: "failed"; readonly problem: string };

/** What an import of some lines did. */
export interface ImportJson {
  /** Records that went in. */
  readonly imported: number;
  /** Records that were there already. */
  readonly unchanged: number;
}

/** Body of every refusal. */
export interface ErrorJson {
  readonly code: string;
  readonly message: string;
}

/** Where events come from: one of the two. */
export type EventSourceJson = { readonly eventLog: string } | { readonly topic: string };

/** A consumer group. */
export interface SubscriptionJson {
  readonly group: string;
  readonly source: EventSourceJson;
  /** `shop.Feed.Added` */
  readonly methods: readonly string[];
  /** Events it has not taken yet; at most, while those of other entity types or topics lie in between. Absent while its place is looked up. */
  readonly lag?: number;
  /** Its cursor: a position in its source, up to which all is done; a restart goes on behind it. Positions have gaps. */
  readonly cursor?: number;
  /** Deliveries under way. */
  readonly sending: number;
  /** Its function can be reached. */
  readonly connected: boolean;
  /** Of a topic, how it stands to what is removed: absent while that is looked up. */
  readonly retention?: {
    /** How far the oldest message it has not had is on its way out: 0 just came, 1 is removed next. */
    readonly used: number;
    /** It is about to lose messages. */
    readonly soon: boolean;
    /** Messages that were removed before it had them, ever. */
    readonly lost: number;
    /** When the last of them was. */
    readonly lostTime?: string;
  };
}

/** An event that could not be delivered. */
export interface ParkedEventJson {
  readonly id: string;
  readonly group: string;
  readonly source: EventSourceJson;
  readonly attempts: number;
  /** Of the last attempt. */
  readonly failure: string;
  /** When it was parked. */
  readonly time: string;
  /** CloudEvents attributes, `ce-id` and so on. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly payload: PayloadJson;
}

export interface ParkedPageJson {
  readonly events: readonly ParkedEventJson[];
  /** Pass as `after` for the next page. Absent on the last one. */
  readonly next?: string;
}

/** How much topics keep. */
export interface TopicRetentionJson {
  readonly maxAgeMs: number;
  /** Of all topics together. */
  readonly maxBytes: number;
}

export interface TopicJson {
  readonly topic: string;
  readonly messages: number;
  /** Of payloads. */
  readonly bytes: number;
  readonly oldest: string;
  readonly newest: string;
}

/** What became of events that were sent to a topic. */
export interface PublishedJson {
  readonly published: number;
  /** There already: same source and id. */
  readonly known: number;
}
