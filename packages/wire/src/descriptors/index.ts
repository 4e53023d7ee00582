export { compileEntityKey, type EntityKey, entityKeyMaxBytes } from "./entity-key.ts";
export { type DescriptorSet, descriptorFilesMax, descriptorsMaxBytes, loadDescriptors } from "./load.ts";
