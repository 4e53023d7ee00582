/**
 * A streamed call of an action: messages pass in both directions under back-pressure, responses are worked off in order.
 *
 * Invariants
 * X1 responses reach the caller in the order the function gave them: while one waits for a synchronous effect or a forward, the next wait,
 *    and the function is held back
 * X2 a failure ends the caller's stream with that description and cancels the call at the function (facts/cloudstate.md §3.3, P9)
 * X3 `closed` is the last callback and comes once; after `cancel` there is none
 */
import { Fault, faultCodeOfGrpc } from "@mecha/kit";
import type { StreamedCall, StreamedCallEvents } from "../engine.ts";
import { deadlineFault } from "../envelope.ts";
import type { ActionOpen, CommandMetadata, Reply } from "../model.ts";
import type { EngineParts } from "../parts.ts";
import { type ActionResponse, type ActionTarget, OpenAction, type OpenActions } from "./open.ts";

/** See the file's header. */
export class StreamedAction extends OpenAction implements StreamedCall {
  readonly #events: StreamedCallEvents;
  readonly #responses: ActionResponse[] = [];
  /** A response's tail is running. */
  #busy = false;
  #callerPaused = false;
  #held = false;
  #messages = 0;
  #halfClosed = false;
  /** How the function ended, told to the caller after the last response. */
  #outcome: { readonly fault: Fault | undefined } | undefined;
  #over = false;

  constructor(parts: EngineParts, open: OpenActions, target: ActionTarget, events: StreamedCallEvents) {
    super(parts, open, target);
    this.#events = events;
  }

  start(metadata: CommandMetadata | undefined, nowMs: number): void {
    const { component, method, context } = this.target;
    this.begin(context.deadlineMs);
    const traced = this.traced(metadata);
    const open: ActionOpen = {
      ...(traced === undefined ? {} : { metadata: traced }),
      ...(context.deadlineMs === undefined ? {} : { timeoutMs: Math.max(1, context.deadlineMs - nowMs) }),
    };
    this.call = component.function.openAction(component.service, method, open, this);
  }

  // ---- from the caller ------------------------------------------------------------------------------------------------------------

  message(bytes: Uint8Array, typeUrl = this.target.method.inputTypeUrl): boolean {
    if (this.#over || this.#halfClosed || this.call === undefined) return true;
    if (!this.target.method.streamedIn && this.#messages > 0) {
      this.#finish(new Fault("invalid", `${this.name} takes one message; a second one arrived`), true);
      return true;
    }
    this.#messages++;
    return this.call.message({ typeUrl, value: bytes });
  }

  halfClose(): void {
    if (this.#over || this.#halfClosed) return;
    this.#halfClosed = true;
    this.call?.halfClose();
  }

  cancel(): void {
    if (this.#over) return;
    this.#over = true;
    this.call?.cancel();
    this.end();
  }

  pause(): void {
    this.#callerPaused = true;
    this.#holdOrRelease();
  }

  resume(): void {
    this.#callerPaused = false;
    this.#holdOrRelease();
  }

  #holdOrRelease(): void {
    const hold = this.#callerPaused || this.#busy;
    if (this.#over || this.#outcome !== undefined || hold === this.#held) return;
    this.#held = hold;
    if (hold) this.call?.pause();
    else this.call?.resume();
  }

  // ---- from the function ----------------------------------------------------------------------------------------------------------

  override response(response: ActionResponse): void {
    if (this.#over) return;
    this.#responses.push(response);
    if (!this.#busy) this.#work();
  }

  /** Works off responses until one must wait (X1). */
  #work(): void {
    while (!this.#busy && !this.#over) {
      const response = this.#responses.shift();
      if (response === undefined) break;
      if (response.effects.length === 0 && response.action.do === "reply") this.#events.reply(response.action);
      else this.#begin(response);
    }
    if (this.#over) return;
    if (!this.#busy && this.#outcome !== undefined) this.#finish(this.#outcome.fault, false);
    else this.#holdOrRelease();
  }

  #begin(response: ActionResponse): void {
    this.#busy = true;
    let inline = true;
    this.runTail(response, undefined, (fault, reply) => {
      this.#busy = false;
      this.#responded(fault, reply);
      if (!inline) this.#work();
    });
    inline = false;
  }

  #responded(fault: Fault | undefined, reply: Reply | undefined): void {
    if (this.#over) return;
    if (fault !== undefined) this.#finish(fault, true);
    else if (reply?.payload !== undefined) this.#events.reply(reply); // no payload: the function answered nothing
  }

  override drain(): void {
    if (!this.#over) this.#events.drain();
  }

  override closed(code: number, message: string): void {
    if (this.#over) return;
    const fault = code === 0 ? undefined : new Fault(faultCodeOfGrpc(code), message);
    this.warnIfLost(code, fault);
    this.#outcome = { fault };
    if (!this.#busy) this.#work();
  }

  // ---- the end --------------------------------------------------------------------------------------------------------------------

  #finish(fault: Fault | undefined, cancel: boolean): void {
    this.#over = true;
    if (cancel && this.#outcome === undefined) this.call?.cancel();
    this.end();
    this.#events.closed(fault);
  }

  override expired(): void {
    this.cut(deadlineFault(this.target.component.service, this.target.method.name));
  }

  override cut(fault: Fault | undefined): void {
    if (this.#over) return;
    this.#finish(fault ?? new Fault("cancelled", `${this.name}: the caller went away`), true);
  }
}
