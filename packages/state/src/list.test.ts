import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Member, MemberList } from "./list.ts";

class Item implements Member<Item> {
  memberOf: object | undefined = undefined;
  memberBefore: Item | undefined = undefined;
  memberAfter: Item | undefined = undefined;
  readonly id: number;
  constructor(id: number) {
    this.id = id;
  }
}

test("a list behaves as an array does under any adding, removing and shifting", () => {
  const action = fc.tuple(fc.constantFrom("add", "remove", "shift"), fc.nat({ max: 9 }));
  fc.assert(
    fc.property(fc.array(action), (actions) => {
      const items = Array.from({ length: 10 }, (_, id) => new Item(id));
      const list = new MemberList<Item>();
      let model: Item[] = [];
      for (const [what, at] of actions) {
        const item = items[at] as Item;
        if (what === "add" && !model.includes(item)) {
          list.add(item);
          model.push(item);
        } else if (what === "remove") {
          list.remove(item);
          model = model.filter((other) => other !== item);
        } else if (what === "shift") {
          assert.equal(list.shift(), model.shift());
        }
        assert.equal(list.size, model.length);
        assert.equal(list.first, model[0]);
        assert.equal(list.last, model.at(-1));
      }
      for (const item of model) assert.equal(list.shift(), item);
    }),
  );
});

test("removing from another list does nothing", () => {
  const item = new Item(1);
  const [a, b] = [new MemberList<Item>(), new MemberList<Item>()];
  a.add(item);
  b.remove(item);
  assert.equal(a.size, 1);
  assert.equal(item.memberOf, a);
});
