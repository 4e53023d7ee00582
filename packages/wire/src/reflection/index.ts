export { reflectionHandler, type ReflectionOptions, type ReflectionSource } from "./reflection.ts";
