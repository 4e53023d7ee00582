/** Names in TypeScript and in protobuf: `cartId` ↔ `cart_id`, `addItem` → `AddItem`. */
import { expect } from "../mistake.ts";

/** `addItem` → `AddItem` */
export function pascal(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}

/** `cartId` → `cart_id`, as protobuf's own lowerCamel JSON names come back from it. */
export function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** `item_added` → `ITEM_ADDED`, `ItemColor` → `ITEM_COLOR` */
export function constant(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/[^A-Za-z0-9]+/g, "_")
    .toUpperCase();
}

/** Names every JavaScript object has; protobuf-es renames such fields. */
const reserved = new Set(["constructor", "toString", "toJSON", "valueOf"]);

/** @throws Mistake unless `name` survives the way to protobuf and back. */
export function checkFieldName(name: string, where: string): void {
  expect(
    /^[a-z][A-Za-z0-9]*$/.test(name) && !reserved.has(name),
    () =>
      `${where}.${name}: a field name is lowerCamelCase, letters and digits, such as cartId${reserved.has(name) ? `; ${name} is taken by JavaScript` : ""}`,
  );
}

/** @throws Mistake unless `name` can be a method or event name. */
export function checkMemberName(name: string, what: string, where: string): void {
  expect(
    /^[a-zA-Z][A-Za-z0-9]*$/.test(name),
    () => `${where}: ${what} ${JSON.stringify(name)}: use lowerCamelCase letters and digits, such as addItem`,
  );
}

/** @throws Mistake unless `service` is a protobuf full name. */
export function checkServiceName(service: unknown): asserts service is string {
  expect(
    typeof service === "string" && /^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/.test(service),
    () => `service: ${JSON.stringify(service)} is no service name; write a package and a name, such as "shop.Cart"`,
  );
}

/** `shop.Cart` → `["shop", "Cart"]`; no package is `""`. */
export function splitName(fullName: string): [pkg: string, base: string] {
  const dot = fullName.lastIndexOf(".");
  return dot < 0 ? ["", fullName] : [fullName.slice(0, dot), fullName.slice(dot + 1)];
}

/** The other way round. */
export function joinName(pkg: string, base: string): string {
  return pkg === "" ? base : `${pkg}.${base}`;
}
