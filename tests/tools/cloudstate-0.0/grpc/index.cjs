/**
 * The native package `grpc` 1.x is C++ for Node 14 and older. Its successor has the same interface but for one thing the library uses: binding
 * was synchronous. Everything else is the successor's.
 */
const grpc = require("@grpc/grpc-js");

class Server extends grpc.Server {
  bind(address, credentials) {
    super.bindAsync(address, credentials, (error) => {
      if (error) throw error;
    });
    return Number(address.slice(address.lastIndexOf(":") + 1));
  }

  // Serving begins with binding.
  start() {}
}

module.exports = { ...grpc, Server };
