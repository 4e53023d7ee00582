export { objectLogContract, type OpenObjectLog } from "./object-log.ts";
