import assert from "node:assert/strict";
import { test } from "node:test";
import type { Fault } from "@mecha/kit";
import { Activations, type Occupant } from "./activations.ts";

class Tenant implements Occupant {
  memberOf: object | undefined = undefined;
  memberBefore: Occupant | undefined = undefined;
  memberAfter: Occupant | undefined = undefined;
  hasPlace = false;
  hasLoadPlace = false;
  leaving = false;
  wanting = true;
  state = "outside";
  readonly #places: Activations;
  constructor(places: Activations) {
    this.#places = places;
  }
  enter(): this {
    this.state = "waiting";
    this.#places.enter(this);
    return this;
  }
  admitted(): boolean {
    this.state = this.wanting ? "loading" : "declined";
    return this.wanting;
  }
  refused(fault: Fault): void {
    this.state = `refused ${fault.code}`;
  }
  passivate(): void {
    this.#places.stir(this);
    this.state = "closing";
  }
  loaded(): this {
    this.state = "active";
    this.#places.loaded(this);
    return this;
  }
  rest(): this {
    this.#places.rest(this);
    return this;
  }
  leave(): void {
    this.state = "outside";
    this.#places.leave(this);
  }
}

function setUp(active: number, loading: number, count: number): { places: Activations; tenants: Tenant[] } {
  const places = new Activations(active, loading);
  return { places, tenants: Array.from({ length: count }, () => new Tenant(places)) };
}

const states = (tenants: readonly Tenant[]): string[] => tenants.map(({ state }) => state);

test("A2: no more load at once than allowed; the next in line follows", () => {
  const { places, tenants } = setUp(10, 2, 4);
  for (const tenant of tenants) tenant.enter();
  assert.deepEqual(states(tenants), ["loading", "loading", "waiting", "waiting"]);
  tenants[1]?.loaded();
  tenants[0]?.leave();
  assert.deepEqual(states(tenants), ["outside", "active", "loading", "loading"]);
  assert.equal(places.loading, 2);
  assert.equal(places.active, 3);
});

test("A3: the least recently used makes room, one for each that waits; then newcomers are refused", () => {
  const { places, tenants } = setUp(2, 10, 6);
  const [a, b, c, d, e, f] = tenants as [Tenant, Tenant, Tenant, Tenant, Tenant, Tenant];
  a.enter().loaded().rest();
  b.enter().loaded().rest();
  places.stir(a);
  a.rest();
  c.enter();
  assert.deepEqual([a.state, b.state, c.state], ["active", "closing", "waiting"]);
  d.enter();
  assert.deepEqual([a.state, d.state], ["closing", "waiting"]);
  e.enter();
  assert.equal(e.state, "refused exhausted");
  b.leave();
  assert.deepEqual([c.state, d.state], ["loading", "waiting"]);
  a.leave();
  assert.equal(d.state, "loading");
  assert.equal(places.active, 2);
  f.enter();
  assert.equal(f.state, "refused exhausted");
});

test("A1: one that gets work while leaving gives its place away and asks anew", () => {
  const { places, tenants } = setUp(1, 10, 2);
  const [a, b] = tenants as [Tenant, Tenant];
  a.enter().loaded().rest();
  b.enter();
  assert.equal(a.state, "closing");
  a.enter();
  assert.deepEqual([a.state, b.state], ["refused exhausted", "loading"]);
  assert.equal(places.active, 1);
});

test("one that gets work while leaving keeps its place when nobody waits any more", () => {
  const { places, tenants } = setUp(1, 10, 2);
  const [a, b] = tenants as [Tenant, Tenant];
  a.enter().loaded().rest();
  b.enter();
  b.leave();
  a.enter();
  assert.equal(a.state, "loading");
  assert.equal(a.leaving, false);
  assert.equal(places.active, 1);
});

test("one that declines its turn to load leaves it to the next", () => {
  const { places, tenants } = setUp(10, 1, 3);
  const [a, b, c] = tenants as [Tenant, Tenant, Tenant];
  for (const tenant of [a, b, c]) tenant.enter();
  b.wanting = false;
  a.loaded();
  assert.deepEqual(states(tenants), ["active", "declined", "loading"]);
  assert.equal(places.loading, 1);
  assert.equal(places.active, 3, "it keeps its place");
});

test("leaving twice, or without a place, changes nothing", () => {
  const { places, tenants } = setUp(2, 1, 2);
  const [a, b] = tenants as [Tenant, Tenant];
  a.enter();
  a.leave();
  a.leave();
  b.leave();
  assert.deepEqual([places.active, places.loading], [0, 0]);
});
