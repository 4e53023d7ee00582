/** Optional values: `object.?field`, `list[?0]`, `optional.of(x)`, `x.orValue(y)`. */
import { equal } from "../language/compare.ts";
import { type Library } from "../language/environment.ts";
import { boolType, dynType, intType, listType, mapType, optionalType, param, stringType } from "../language/types.ts";
import { CelError, Duration, MapValue, Optional, Timestamp, Uint } from "../language/values.ts";

function isZero(value: unknown): boolean {
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length === 0;
  if (value instanceof MapValue) return value.size === 0;
  if (value instanceof Optional) return !value.has;
  if (value instanceof Uint) return value.value === 0n;
  if (value instanceof Duration) return value.nanos === 0n;
  if (value instanceof Timestamp) return value.nanos === -62_135_596_800_000_000_000n;
  return value === null || value === false || value === "" || equal(value, 0n);
}

function unwrap(list: readonly unknown[]): unknown[] {
  return list.flatMap((item) => {
    if (!(item instanceof Optional)) throw new CelError(`value ${String(item)} is not optional`);
    return item.has ? [item.value] : [];
  });
}

export function addOptionals(library: Library): void {
  const [k, v] = [param("K"), param("V")];
  const [list, map, optional] = [listType(v), mapType(k, v), optionalType(v)];
  library.global("optional.of", "optional_of", [v], optional, (value: unknown) => Optional.of(value));
  library.global("optional.ofNonZeroValue", "optional_ofNonZeroValue", [v], optional, (value: unknown) =>
    isZero(value) ? Optional.none : Optional.of(value),
  );
  library.global("optional.none", "optional_none", [], optional, () => Optional.none);
  library.global("optional.unwrap", "optional_unwrap", [listType(optional)], list, unwrap);
  library.member("unwrapOpt", "optional_unwrapOpt", [listType(optional)], list, unwrap);
  library.member("value", "optional_value", [optional], v, ({ has, value }: Optional) => {
    if (!has) throw new CelError("optional.none() dereference");
    return value;
  });
  library.member("hasValue", "optional_hasValue", [optional], boolType, ({ has }: Optional) => has);
  library.member("or", "optional_or_optional", [optional, optional], optional, undefined);
  library.member("orValue", "optional_orValue_value", [optional, v], v, undefined);
  library.member("first", "list_first", [list], optional, (items: readonly unknown[]) =>
    items.length > 0 ? Optional.of(items[0]) : Optional.none,
  );
  library.member("last", "list_last", [list], optional, (items: readonly unknown[]) =>
    items.length > 0 ? Optional.of(items.at(-1)) : Optional.none,
  );
  library.global("_?._", "select_optional_field", [dynType, stringType], optional, undefined);
  library.global("_[?_]", "list_optindex_optional_int", [list, intType], optional, undefined);
  library.global("_[?_]", "optional_list_optindex_optional_int", [optionalType(list), intType], optional, undefined);
  library.global("_[?_]", "map_optindex_optional_value", [map, k], optional, undefined);
  library.global("_[?_]", "optional_map_optindex_optional_value", [optionalType(map), k], optional, undefined);
  library.global("_[_]", "optional_list_index_int", [optionalType(list), intType], optional, undefined);
  library.global("_[_]", "optional_map_index_value", [optionalType(map), k], optional, undefined);
}
