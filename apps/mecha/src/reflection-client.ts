/** Types of a server, asked of the server itself (gRPC server reflection v1, then v1alpha): what `mecha call` turns JSON into bytes with. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Fault } from "@mecha/kit";
import { type Channel, type ClientCall, type DescriptorSet, faultOfStatus, loadDescriptors } from "@mecha/wire";
import {
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
  type ServerReflectionResponse,
} from "@mecha/wire/gen/grpc/reflection/v1/reflection";

/** Both versions have the same messages under another package. */
const paths = [
  "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
  "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
] as const;

/** Files asked for one by one; larger sets than this are refused when loaded anyway. */
const filesMax = 1_000;

type Question = { readonly case: "fileByFilename" | "fileContainingSymbol" | "listServices"; readonly value: string };

/** Names of the services a server offers, its own reflection left out. @throws Fault when it cannot be reached or does not reflect. */
export async function listServices(channel: Channel, timeoutMs: number): Promise<string[]> {
  return withReflection(channel, timeoutMs, async (ask) => {
    const { messageResponse } = await ask({ case: "listServices", value: "" });
    const names = messageResponse.case === "listServicesResponse" ? messageResponse.value.service.map(({ name }) => name) : [];
    return names.filter((name) => !name.startsWith("grpc.reflection."));
  });
}

/** The types `symbol` needs; `undefined` when the server does not know it. */
export async function describe(channel: Channel, symbol: string, timeoutMs: number): Promise<DescriptorSet | undefined> {
  return withReflection(channel, timeoutMs, async (ask) => {
    const files = new Map<string, FileDescriptorProto>();
    for (const file of filesIn(await ask({ case: "fileContainingSymbol", value: symbol }))) files.set(file.name, file);
    if (files.size === 0) return undefined;
    for (let missing = missingImport(files); missing !== undefined && files.size < filesMax; missing = missingImport(files)) {
      const found = filesIn(await ask({ case: "fileByFilename", value: missing }));
      if (!found.some((file) => file.name === missing)) break; // a well-known file; the loader brings those
      for (const file of found) files.set(file.name, file);
    }
    return loadDescriptors(toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: [...files.values()] })));
  });
}

function filesIn({ messageResponse }: ServerReflectionResponse): FileDescriptorProto[] {
  if (messageResponse.case !== "fileDescriptorResponse") return []; // an errorResponse: the symbol is unknown
  return messageResponse.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
}

function missingImport(files: ReadonlyMap<string, FileDescriptorProto>): string | undefined {
  for (const file of files.values())
    for (const name of file.dependency) if (!files.has(name) && !name.startsWith("google/protobuf/")) return name;
  return undefined;
}

type Ask = (question: Question) => Promise<ServerReflectionResponse>;

/** Runs `use` with the first version the server has. */
async function withReflection<T>(channel: Channel, timeoutMs: number, use: (ask: Ask) => Promise<T>): Promise<T> {
  for (const path of paths) {
    const conversation = new Conversation(channel, path, timeoutMs);
    try {
      return await use((question) => conversation.ask(question));
    } catch (error) {
      const last = path === paths.at(-1);
      if (!(error instanceof Fault) || error.code !== "unimplemented") throw error;
      if (last)
        throw new Fault("unimplemented", `the server at ${channel.target} has no gRPC reflection, so its types are unknown`, {
          cause: error,
        });
    } finally {
      conversation.end();
    }
  }
  throw new Fault("unimplemented", `the server at ${channel.target} has no gRPC reflection`);
}

/** One reflection stream: a question, its answer, the next question. */
class Conversation {
  readonly #call: ClientCall;
  #waiting: PromiseWithResolvers<ServerReflectionResponse> | undefined;
  #ended: Fault | undefined;

  constructor(channel: Channel, path: string, timeoutMs: number) {
    this.#call = channel.open(
      path,
      { timeoutMs },
      {
        message: (bytes) => this.#waiting?.resolve(fromBinary(ServerReflectionResponseSchema, bytes)),
        end: (status) => {
          this.#ended =
            status.code === 0 ? new Fault("unavailable", `${channel.target} ended the reflection stream`) : faultOfStatus(status);
          this.#waiting?.reject(this.#ended);
        },
      },
    );
  }

  ask(question: Question): Promise<ServerReflectionResponse> {
    if (this.#ended) return Promise.reject(this.#ended);
    this.#waiting = Promise.withResolvers();
    this.#call.send(toBinary(ServerReflectionRequestSchema, create(ServerReflectionRequestSchema, { messageRequest: question })));
    return this.#waiting.promise;
  }

  end(): void {
    if (!this.#ended) this.#call.cancel();
  }
}
