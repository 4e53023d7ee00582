/**
 * The compiled JSON codec against protobuf-es, both ways, on the messages of the cart: a command in (3 fields), a cart out (5 lines).
 * Run: node bench/micro/json-codec.ts [--rounds 9]. Prints ns a message (median of the rounds) and the ratio. The target is under 5 µs for
 * the 3-field message each way.
 */
import { create, createFileRegistry, fromBinary, fromJsonString, toBinary, toJsonString } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { compileProto } from "../../packages/wire/src/testing/proto.ts";
import { JsonCodecs, loadDescriptors } from "../../packages/wire/src/index.ts";
import { number, readOptions } from "../options.ts";

const { rounds } = readOptions("JSON to protobuf and back, beside protobuf-es.", { rounds: number(9, "to measure; the median counts") });
const messages = 200_000;

const descriptors = loadDescriptors(
  compileProto({
    "shop/cart.proto": `syntax = "proto3"; package shop;
      message AddItem { string cart_id = 1; string product_id = 2; int32 quantity = 3; }
      message Line { string product_id = 1; string name = 2; int32 quantity = 3; int64 cents = 4; }
      message Cart { string cart_id = 1; repeated Line lines = 2; bool open = 3; }`,
  }),
);
// protobuf-es gets a registry of its own, so that neither side warms the other's descriptors.
const library = createFileRegistry(create(FileDescriptorSetSchema, { file: [...descriptors.files] }));
const codecs = new JsonCodecs(descriptors.registry);

const cases = {
  "shop.AddItem": { cartId: "user-4711/cart-0815", productId: "sku-20394", quantity: 3 },
  "shop.Cart": {
    cartId: "user-4711/cart-0815",
    lines: Array.from({ length: 5 }, (_, i) => ({ productId: `sku-${i}`, name: `Thing number ${i}`, quantity: i, cents: `${1999 * i}` })),
    open: true,
  },
};

let sink: unknown;
function nsOf(run: () => unknown): number {
  const start = process.hrtime.bigint();
  for (let i = 0; i < messages; i++) sink = run();
  return Number(process.hrtime.bigint() - start) / messages;
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

const rows = Object.entries(cases).flatMap(([name, json]) => {
  const desc = descriptors.message(name);
  const theirs = library.getMessage(name);
  if (!desc || !theirs) throw new Error(name);
  const codec = codecs.of(desc);
  const text = JSON.stringify(json);
  const document = new TextEncoder().encode(text);
  const bytes = codec.fromJson(document);
  const options = { alwaysEmitImplicit: true };
  return [
    {
      what: `${name}: JSON → bytes`,
      ours: () => codec.fromJson(document),
      library: () => toBinary(theirs, fromJsonString(theirs, new TextDecoder().decode(document))),
    },
    {
      what: `${name}: bytes → JSON`,
      ours: () => codec.toJson(bytes),
      library: () => toJsonString(theirs, fromBinary(theirs, bytes), options),
    },
  ];
});

for (const { what, ours, library } of rows) {
  const a: number[] = [];
  const b: number[] = [];
  for (let round = 0; round < rounds; round++) {
    a.push(nsOf(ours));
    b.push(nsOf(library));
  }
  const [mine, theirs] = [median(a), median(b)];
  console.log(
    `${what.padEnd(28)} ${mine.toFixed(0).padStart(6)} ns   protobuf-es ${theirs.toFixed(0).padStart(6)} ns   ${(theirs / mine).toFixed(1)} ×`,
  );
}
if (sink === undefined) throw new Error("nothing ran");
