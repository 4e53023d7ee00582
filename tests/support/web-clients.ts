/** Runs in a web page (bundled by tests/e2e/grpc-web.test.ts): npm grpc-web and connect-web behind one face, with raw bytes as messages. */
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { ConnectError } from "@connectrpc/connect";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type DescMethodStreaming, type DescMethodUnary } from "@bufbuild/protobuf";
import { EmptySchema, file_google_protobuf_empty } from "@bufbuild/protobuf/wkt";
import * as grpcWeb from "grpc-web";

export interface WebAnswer {
  readonly code: number;
  readonly message?: readonly number[];
  readonly problem?: string;
}

export interface WebClient {
  unary(url: string, path: string, request: readonly number[]): Promise<WebAnswer>;
  /** The first `count` messages, then cancels. */
  stream(
    url: string,
    path: string,
    request: readonly number[],
    count: number,
  ): Promise<{ readonly messages: readonly (readonly number[])[] }>;
}

export interface WebClients {
  readonly grpcWeb: WebClient;
  readonly grpcWebText: WebClient;
  readonly connectWeb: WebClient;
}

class Raw {}
const types = Raw as unknown as new (...args: unknown[]) => unknown;

function grpcWebClient(format: "binary" | "text"): WebClient {
  const descriptor = (path: string, type: "unary" | "server_streaming"): grpcWeb.MethodDescriptor<readonly number[], Uint8Array> =>
    new grpcWeb.MethodDescriptor(
      path,
      type,
      types as never,
      types as never,
      (request: readonly number[]) => Uint8Array.from(request),
      (bytes: Uint8Array) => bytes,
    );
  const client = new grpcWeb.GrpcWebClientBase({ format });
  return {
    unary: async (url, path, request) => {
      try {
        const message = await client.unaryCall(`${url}${path}`, request, {}, descriptor(path, "unary"));
        return { code: 0, message: [...message] };
      } catch (error) {
        return { code: (error as grpcWeb.RpcError).code, problem: String(error) };
      }
    },
    stream: (url, path, request, count) =>
      new Promise((resolve, reject) => {
        const messages: number[][] = [];
        const stream = client.serverStreaming(`${url}${path}`, request, {}, descriptor(path, "server_streaming"));
        stream.on("data", (message) => {
          messages.push([...message]);
          if (messages.length < count) return;
          stream.cancel();
          resolve({ messages });
        });
        stream.on("error", reject);
      }),
  };
}

/** A method whose messages are Empty: its unknown fields carry whatever bytes there are. */
function methodOf<K extends "unary" | "server_streaming">(path: string, methodKind: K): DescMethodUnary | DescMethodStreaming {
  const [, service = "", name = ""] = path.split("/");
  const parent = { kind: "service", typeName: service, name: service, file: file_google_protobuf_empty };
  return { kind: "rpc", name, localName: name, parent, methodKind, input: EmptySchema, output: EmptySchema } as unknown as DescMethodUnary;
}

const connectWeb: WebClient = {
  unary: async (url, path, request) => {
    try {
      const transport = createGrpcWebTransport({ baseUrl: url });
      const message = fromBinary(EmptySchema, Uint8Array.from(request));
      const answer = await transport.unary(methodOf(path, "unary") as DescMethodUnary, undefined, 10_000, undefined, message);
      return { code: 0, message: [...toBinary(EmptySchema, answer.message as never)] };
    } catch (error) {
      return { code: ConnectError.from(error).code };
    }
  },
  stream: async (url, path, request, count) => {
    const transport = createGrpcWebTransport({ baseUrl: url });
    const leaving = new AbortController();
    const input = (async function* () {
      yield create(EmptySchema, fromBinary(EmptySchema, Uint8Array.from(request)));
    })();
    const method = methodOf(path, "server_streaming") as DescMethodStreaming;
    const answer = await transport.stream(method, leaving.signal, undefined, undefined, input as never);
    const messages: number[][] = [];
    for await (const message of answer.message) {
      messages.push([...toBinary(EmptySchema, message as never)]);
      if (messages.length === count) break;
    }
    leaving.abort();
    return { messages };
  },
};

(globalThis as unknown as { clients: WebClients }).clients = {
  grpcWeb: grpcWebClient("binary"),
  grpcWebText: grpcWebClient("text"),
  connectWeb,
};
