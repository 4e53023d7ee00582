/**
 * node:http, without what its ES module brings along: `import` of a built-in module reads every export, and of this one some load the WebSocket
 * client behind `fetch`. That is 16 MB of memory in each process, for nothing.
 */
export const { createServer, STATUS_CODES } = process.getBuiltinModule("node:http");
