export { hostClock } from "./clock.ts";
export { hostEnvironment } from "./environment.ts";
export { privateFolder, readTextFile, writePrivateFile } from "./files.ts";
export { consoleLog, type ConsoleLogOptions, logOptionsFrom } from "./log.ts";
export { hostRandom } from "./random.ts";
export { giveBackAtRest } from "./rest.ts";
