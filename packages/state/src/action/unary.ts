/**
 * One call of an action with one answer. Effects and forwards may also name a streamed method: then one message goes in, the first
 * response answers, and the effects of later ones still run.
 */
import { Fault, type FaultCode, faultCodeOfGrpc } from "@mecha/kit";
import type { Answer } from "../engine.ts";
import { deadlineFault } from "../envelope.ts";
import type { ActionOpen, Command, Reply } from "../model.ts";
import { chosenFault } from "../outbox/chosen.ts";
import type { EngineParts } from "../parts.ts";
import { type ActionResponse, type ActionTarget, OpenAction, type OpenActions } from "./open.ts";

/** Statuses of a call that was cut off. */
const lostCodes: ReadonlySet<FaultCode> = new Set(["unavailable", "exhausted", "deadline", "cancelled"]);

/** See the file's header. */
export class UnaryAction extends OpenAction {
  readonly #answer: Answer;
  #answered = false;
  #responded = false;
  /** Responses so far. */
  #responses = 0;
  /** The caller's key of the command. */
  #key: string | undefined;
  #closed = false;
  /** Tails still running. */
  #tails = 0;

  constructor(parts: EngineParts, open: OpenActions, target: ActionTarget, answer: Answer) {
    super(parts, open, target);
    this.#answer = answer;
  }

  start(command: Command, nowMs: number): void {
    this.#key = command.id;
    const dueMs = this.target.context.deadlineMs ?? nowMs + this.parts.limits.actionTimeoutMs;
    this.begin(dueMs);
    const timeoutMs = Math.max(1, dueMs - nowMs);
    const metadata = this.traced(command.metadata);
    const open: ActionOpen = metadata === undefined ? { timeoutMs } : { metadata, timeoutMs };
    const { component, method } = this.target;
    this.call = component.function.openAction(component.service, method, open, this);
    this.call.message(command.payload);
    this.call.halfClose();
  }

  override response(response: ActionResponse): void {
    const first = !this.#responded;
    this.#responded = true;
    this.#tails++;
    // A later response can answer nobody: only its effects count.
    const action = first ? response.action : ({ do: "nothing" } as const);
    const number = this.#responses++;
    const key = this.#key === undefined || number === 0 ? this.#key : `${this.#key}.${number}`;
    this.runTail({ action, effects: response.effects }, key, (fault, reply) => {
      this.#tails--;
      if (first) this.#tell(fault, reply);
      this.#endWhenDone();
    });
  }

  override drain(): void {
    // One message only: there is nothing more to send.
  }

  override closed(code: number, message: string): void {
    this.#closed = true;
    if (!this.#responded) {
      const fault = this.#withoutResponse(code, message);
      this.warnIfLost(code, fault);
      this.#tell(fault, this.#emptyReply(code));
    }
    this.#endWhenDone();
  }

  #emptyReply(code: number): Reply | undefined {
    return code === 0 && this.target.method.streamedOut ? {} : undefined;
  }

  #withoutResponse(code: number, message: string): Fault | undefined {
    if (code !== 0) return this.#statusFault(faultCodeOfGrpc(code), message);
    return this.target.method.streamedOut
      ? undefined
      : new Fault("internal", `${this.name}: the function ended the call without a response`);
  }

  /** A status is the user's code's own, but for those that a lost function gives too. */
  #statusFault(code: FaultCode, message: string): Fault {
    return lostCodes.has(code) ? new Fault(code, message) : chosenFault(code, message);
  }

  /** A streamed method may go on after its first response: that is the function's to end, within the time allowed. */
  #endWhenDone(): void {
    if (this.#tails > 0 || !this.#answered) return;
    if (this.#closed || !this.target.method.streamedOut) this.end();
  }

  override expired(): void {
    this.cut(
      this.target.context.deadlineMs === undefined
        ? new Fault("deadline", `${this.name}: no response within ${this.parts.limits.actionTimeoutMs / 1000} s`)
        : deadlineFault(this.target.component.service, this.target.method.name),
    );
  }

  override cut(fault: Fault | undefined): void {
    if (!this.#closed) this.call?.cancel();
    this.#closed = true;
    this.#responded = true;
    this.end();
    this.#tell(fault ?? new Fault("cancelled", `${this.name}: the caller went away`), undefined);
  }

  #tell(fault: Fault | undefined, reply: Reply | undefined): void {
    if (this.#answered) return;
    this.#answered = true;
    this.failure ??= fault;
    this.#answer(fault, reply);
  }
}
