/**
 * Runs controllers together: one informer a resource however many look at it, no work before the first lists are in, leadership if asked for, an orderly end.
 *
 * Order of starting: leadership, informers, first lists, workers. Order of ending: workers finish what they have at hand (at most `graceMs`), then informers,
 * then leadership is given back.
 */
import { type Clock, deadlineSignal, Fault, type Log, type Metrics, type Random, sleep } from "@mecha/kit";
import type { ApiClient, ResourceRef, Selection } from "../api-client.ts";
import { Controller, type ControllerSpec } from "./controller.ts";
import { Informer } from "./informer.ts";
import { type LeaseOptions, runAsLeader } from "./lease.ts";

export interface ManagerPorts {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics?: Metrics;
}

export interface ManagerOptions {
  /** Only one of several processes with the same lease works. Default: no election. */
  readonly lease?: LeaseOptions;
  /** How long the first lists may take. Default 2 minutes. */
  readonly syncTimeoutMs?: number;
  /** How long running reconciliations may finish at the end. Default 30 s. */
  readonly graceMs?: number;
}

export class Manager {
  readonly #ports: ManagerPorts;
  readonly #options: ManagerOptions;
  readonly #informers = new Map<string, Informer>();
  readonly #controllers: Controller[] = [];
  #ready = false;

  constructor(ports: ManagerPorts, options: ManagerOptions = {}) {
    this.#ports = ports;
    this.#options = options;
  }

  /** The controllers work: this process leads and the first lists are in. For a readiness probe. */
  get ready(): boolean {
    return this.#ready;
  }

  /** The shared cache of a resource. Ask before `run`; later ones are not started. */
  informer(resource: ResourceRef, selection: Selection = {}): Informer {
    const key = JSON.stringify([
      resource.apiVersion,
      resource.plural,
      selection.namespace,
      selection.labelSelector,
      selection.fieldSelector,
    ]);
    let informer = this.#informers.get(key);
    if (!informer) {
      informer = new Informer(resource, selection, this.#ports);
      this.#informers.set(key, informer);
    }
    return informer;
  }

  /** Adds a controller. Before `run`. */
  add(spec: ControllerSpec): Controller {
    const controller = new Controller(spec, this.#ports);
    controller.attach((resource, selection) => this.informer(resource, selection));
    this.#controllers.push(controller);
    return controller;
  }

  /**
   * Works until `signal` aborts.
   * @throws Fault("aborted") when leadership was lost, Fault("deadline") when the first lists did not come in time: end the process, another will start.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { lease } = this.#options;
    if (!lease) return await this.#work(signal);
    try {
      await runAsLeader(lease, this.#ports, signal, (leading) => this.#work(leading));
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async #work(signal: AbortSignal): Promise<void> {
    const informing = new AbortController();
    const informers = [...this.#informers.values()];
    const running = informers.map((informer) => informer.run(informing.signal));
    try {
      await this.#sync(informers, signal);
      this.#ready = true;
      const working = Promise.all(this.#controllers.map((controller) => controller.run(signal)));
      await this.#within(working, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.#ready = false;
      informing.abort(new Fault("cancelled", "the manager ends"));
      await Promise.all(running);
    }
  }

  async #sync(informers: readonly Informer[], signal: AbortSignal): Promise<void> {
    using deadline = deadlineSignal(this.#ports.clock, this.#options.syncTimeoutMs ?? 120_000, "first lists of the informers", signal);
    const ended = new Promise<never>((_, reject) => {
      const end = (): void => reject(deadline.signal.reason as Error);
      if (deadline.signal.aborted) end();
      else deadline.signal.addEventListener("abort", end, { once: true });
    });
    await Promise.race([Promise.all(informers.map((informer) => informer.synced)), ended]);
  }

  /** Waits for `working`; once `signal` aborts, for `graceMs` at most. */
  async #within(working: Promise<unknown>, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#ports;
    const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    if (!signal.aborted) await Promise.race([working, aborted]);
    if (!signal.aborted) return; // a worker failed or all ended
    const over = new AbortController();
    const late = sleep(clock, this.#options.graceMs ?? 30_000, over.signal).then(
      () => log.warn("reconciliations cut off", { graceMs: this.#options.graceMs ?? 30_000 }),
      () => undefined,
    );
    await Promise.race([working, late]);
    over.abort();
  }
}
