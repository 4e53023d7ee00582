/** A TCP way to a port, between two processes of a test, that can stop forwarding as a cut cable does: nobody is told. */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** See the file's header. */
export class Way implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #to: number;
  #cut = false;

  constructor(to: number) {
    this.#to = to;
    this.#server = createServer({ pauseOnConnect: true }, (from) => this.#carry(from));
  }

  async listen(): Promise<number> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return (this.#server.address() as { port: number }).port;
  }

  #carry(from: Socket): void {
    const to = connect(this.#to, "127.0.0.1");
    for (const [one, other] of [
      [from, to],
      [to, from],
    ] as const) {
      this.#sockets.add(one);
      one.on("data", (chunk) => other.write(chunk));
      one.on("end", () => other.end());
      one.on("error", () => other.destroy());
      one.on("close", () => {
        this.#sockets.delete(one);
        other.destroy();
      });
      if (this.#cut) one.pause();
      else one.resume();
    }
  }

  /** Nothing goes on, in either direction; connections stay open, and new ones are taken. */
  cut(): void {
    this.#cut = true;
    for (const socket of this.#sockets) socket.pause();
  }

  heal(): void {
    this.#cut = false;
    for (const socket of this.#sockets) socket.resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
