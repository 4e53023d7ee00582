export { reflectionHandler, type ReflectionOptions, type ReflectionSource } from "./reflection.ts";
export { SymbolIndex } from "./symbols.ts";
