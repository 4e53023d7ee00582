import { create, fromBinary, getOption, hasOption, toBinary } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "@mecha/kit";
import { entity_key } from "../gen/cloudstate/entity_key_pb.ts";
import { http } from "../gen/google/api/annotations_pb.ts";
import { compileProto } from "../testing/proto.ts";
import { loadDescriptors } from "./load.ts";

const cart = compileProto({
  "shop/cart.proto": `syntax = "proto3"; package shop;
    import "google/api/annotations.proto"; import "google/protobuf/empty.proto"; import "cloudstate/entity_key.proto"; import "shop/item.proto";
    message Add { string cart_id = 1 [(cloudstate.entity_key) = true]; Item item = 2; }
    service Cart { rpc AddItem(Add) returns (google.protobuf.Empty) { option (google.api.http) = { post: "/carts/{cart_id}" body: "*" }; } }`,
  "shop/item.proto": `syntax = "proto3"; package shop; message Item { string name = 1; }`,
});
const filesOf = (bytes: Uint8Array): FileDescriptorProto[] => fromBinary(FileDescriptorSetSchema, bytes).file;
const setOf = (...file: FileDescriptorProto[]): Uint8Array => toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file }));
const file = (name: string, dependency: string[] = [], more: object = {}): FileDescriptorProto =>
  create(FileDescriptorProtoSchema, { name, dependency, syntax: "proto3", ...more });
const refused = (bytes: Uint8Array, message: RegExp): void => {
  assert.throws(
    () => loadDescriptors(bytes),
    (fault) => fault instanceof Fault && fault.code === "invalid" && message.test(fault.message),
    String(message),
  );
};

test("services, messages and options are there", () => {
  const set = loadDescriptors(cart);
  const method = set.service("shop.Cart")!.methods[0]!;
  assert.equal(method.name, "AddItem");
  assert.equal(getOption(method, http).pattern.value, "/carts/{cart_id}");
  assert.ok(hasOption(set.message("shop.Add")!.fields[0]!, entity_key));
  assert.equal(set.service("shop.Nothing"), undefined);
  assert.equal(set.message("shop.Cart"), undefined);
});

test("files may come in any order; they are given imports first", () => {
  fc.assert(
    fc.property(fc.shuffledSubarray(filesOf(cart), { minLength: filesOf(cart).length }), (files) => {
      const names = loadDescriptors(setOf(...files)).files.map(({ name }) => name);
      assert.equal(names.length, files.length);
      for (const { name, dependency } of files) for (const other of dependency) assert.ok(names.indexOf(other) < names.indexOf(name));
    }),
    { numRuns: 15 },
  );
});

test("well-known files and annotations may be missing", () => {
  const own = filesOf(cart).filter(({ name }) => name.startsWith("shop/"));
  const set = loadDescriptors(setOf(...own));
  assert.equal(getOption(set.service("shop.Cart")!.methods[0]!, http).body, "*");
  assert.deepEqual(
    set.files.map(({ name }) => name).filter((name) => name.startsWith("google/api/")),
    ["google/api/http.proto", "google/api/annotations.proto"],
  );
});

test("a file that comes twice is taken once; two different ones of a name are refused", () => {
  const [item] = filesOf(cart).filter(({ name }) => name === "shop/item.proto") as [FileDescriptorProto];
  assert.ok(loadDescriptors(setOf(item, item)).message("shop.Item"));
  refused(setOf(item, file("shop/item.proto")), /two different files named "shop\/item\.proto"/);
});

test("cycles and gaps name the path of imports", () => {
  refused(
    setOf(file("a.proto", ["b.proto"]), file("b.proto", ["c.proto"]), file("c.proto", ["a.proto"])),
    /in a circle: a\.proto imports b\.proto imports c\.proto imports a\.proto/,
  );
  refused(setOf(file("a.proto", ["a.proto"])), /a\.proto imports a\.proto/);
  refused(
    setOf(file("a.proto", ["b.proto"]), file("b.proto", ["x/missing.proto"])),
    /lack x\/missing\.proto: a\.proto imports b\.proto imports x\/missing\.proto; build the set with all imports/,
  );
});

test("a chain of thousands of imports is no problem, and its path is shortened in messages", () => {
  const chain = Array.from({ length: 5000 }, (_, i) => file(`f${i}.proto`, i < 4999 ? [`f${i + 1}.proto`] : []));
  assert.equal(loadDescriptors(setOf(...chain)).files[0]!.name, "f4999.proto");
  refused(setOf(...chain.slice(0, -1)), /f0\.proto imports .* imports … imports .* imports f4999\.proto/);
});

test("what does not fit together is refused", () => {
  const message = (name: string, ...field: object[]): object => ({ name, field });
  const field = (number: number, more: object = {}): object => ({ name: `f${number}`, number, type: 9, label: 1, ...more });
  refused(Uint8Array.of(1, 2, 3), /not a serialized FileDescriptorSet/);
  refused(setOf(file("a.proto", [], { messageType: [message("M"), message("M")] })), /define "M" twice, in a\.proto and a\.proto/);
  refused(
    setOf(file("a.proto", [], { messageType: [message("M")] }), file("b.proto", [], { messageType: [message("M")] })),
    /"M" twice, in a\.proto and b\.proto/,
  );
  refused(setOf(file("a.proto", [], { enumType: [{ name: "E" }] })), /enum "E" without a value/);
  refused(
    setOf(file("a.proto", [], { messageType: [message("M", field(1), field(1, { name: "g" }))] })),
    /field "g" of "M" the number 1, which "f1" has too/,
  );
  refused(setOf(file("a.proto", [], { messageType: [message("M", field(0))] })), /number 0, which is not a legal number/);
  refused(setOf(file("a.proto", [], { messageType: [message("M", field(1, { type: 11, typeName: ".Nowhere" }))] })), /do not fit together/);
  refused(
    setOf(file("a.proto", [], { service: [{ name: "S", method: [{ name: "M", inputType: ".A", outputType: ".B" }] }] })),
    /do not fit together/,
  );
  refused(new Uint8Array(12 * 1024 * 1024 + 1), /more than the 12582912 allowed/);
});

test("JSON names that the maker left out are derived", () => {
  const field = { name: "cart_id", number: 1, type: 9, label: 1 };
  const set = loadDescriptors(setOf(file("a.proto", [], { messageType: [{ name: "M", field: [field] }] })));
  assert.equal(set.message("M")!.fields[0]!.jsonName, "cartId");
});

test("any bytes are a set or a Fault", () => {
  const own = setOf(
    ...filesOf(cart)
      .filter(({ name }) => name.startsWith("shop/"))
      .map((part) => ({ ...part, sourceCodeInfo: undefined })),
  );
  const load = (bytes: Uint8Array): void => {
    try {
      loadDescriptors(bytes);
    } catch (problem) {
      assert.ok(problem instanceof Fault && problem.code === "invalid", String(problem));
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), load), { numRuns: 2000 });
  const edits = fc.array(fc.tuple(fc.nat(own.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(edits, fc.nat(own.length), (changes, cut) => {
      const bytes = own.slice();
      for (const [at, byte] of changes) bytes[at] = byte;
      load(bytes);
      load(bytes.subarray(0, cut));
    }),
    { numRuns: 2000 },
  );
});
