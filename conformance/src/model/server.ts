/**
 * The TCK's model services as a user function, on a gRPC library that is not ours (@grpc/grpc-js), so that what is compared with it is not
 * compared with itself.
 */
import { create, type DescMessage, type DescService, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import {
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { type ActionCommand, ActionProtocol, type ActionResponse } from "@mecha/wire/gen/cloudstate/action";
import { Crdt, type CrdtStreamIn, type CrdtStreamOut } from "@mecha/wire/gen/cloudstate/crdt";
import { EntityDiscovery, type EntitySpec, type ProxyInfo, type UserFunctionError } from "@mecha/wire/gen/cloudstate/entity";
import { EventSourced, type EventSourcedStreamIn, type EventSourcedStreamOut } from "@mecha/wire/gen/cloudstate/event_sourced";
import { ValueEntity, type ValueEntityStreamIn, type ValueEntityStreamOut } from "@mecha/wire/gen/cloudstate/value_entity";
import { answersTo, joined } from "./action.ts";
import { modelSpec } from "./descriptors.ts";
import { CrdtModel } from "./crdt.ts";
import { EventLogModel, eventLogServices } from "./event-log.ts";
import { EventSourcedModel } from "./event-sourced.ts";
import { ValueEntityModel } from "./value-entity.ts";

export interface ModelOptions {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** 0: any free port (default). */
  readonly port?: number;
  /** Whether a command that fails after emitting events asks for a restart of its entity. Default true. */
  readonly asksRestart?: boolean;
  /** Told what the sidecar reports. */
  readonly reported?: (message: string) => void;
}

export interface Model extends AsyncDisposable {
  readonly port: number;
}

/** Starts the model. */
export async function openModel(options: ModelOptions = {}): Promise<Model> {
  const server = new Server();
  server.addService(definition(EntityDiscovery), discovery(options.reported));
  server.addService(definition(EventSourced), {
    handle: entity<EventSourcedStreamIn, EventSourcedStreamOut>(() => new EventSourcedEntity(options.asksRestart ?? true)),
  });
  server.addService(definition(ValueEntity), { handle: entity<ValueEntityStreamIn, ValueEntityStreamOut>(() => new ValueEntityModel()) });
  server.addService(definition(Crdt), { handle: entity<CrdtStreamIn, CrdtStreamOut>(() => new CrdtModel()) });
  server.addService(definition(ActionProtocol), actions());
  const port = await bind(server, `${options.host ?? "127.0.0.1"}:${options.port ?? 0}`);
  return {
    port,
    async [Symbol.asyncDispose]() {
      server.forceShutdown();
    },
  };
}

function bind(server: Server, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => (error ? reject(error) : resolve(port)));
  });
}

/** A service of ours in the words of grpc-js. Method names stay as the proto has them. */
function definition(service: DescService): ServiceDefinition {
  return Object.fromEntries(
    service.methods.map((method) => [
      method.name,
      {
        path: `/${service.typeName}/${method.name}`,
        requestStream: method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming",
        responseStream: method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming",
        ...codec("request", method.input),
        ...codec("response", method.output),
      },
    ]),
  ) as unknown as ServiceDefinition;
}

function codec(side: "request" | "response", schema: DescMessage): object {
  return {
    [`${side}Serialize`]: (message: MessageShape<DescMessage>) => Buffer.from(toBinary(schema, message)),
    [`${side}Deserialize`]: (bytes: Buffer) => fromBinary(schema, bytes),
  };
}

function discovery(reported: (message: string) => void = () => undefined): UntypedServiceImplementation {
  const discover: handleUnaryCall<ProxyInfo, EntitySpec> = (_call, callback) => callback(null, modelSpec());
  const reportError: handleUnaryCall<UserFunctionError, unknown> = (call, callback) => {
    reported(call.request.message);
    callback(null, create(EmptySchema));
  };
  return { discover, reportError };
}

/** An event-sourced entity of either kind of model; its init says which. */
class EventSourcedEntity {
  readonly #asksRestart: boolean;
  #model: EventSourcedModel | EventLogModel | undefined;

  constructor(asksRestart: boolean) {
    this.#asksRestart = asksRestart;
  }

  take(message: EventSourcedStreamIn): EventSourcedStreamOut | undefined {
    const init = message.message.case === "init" ? message.message.value : undefined;
    this.#model ??= eventLogServices.has(init?.serviceName ?? "") ? new EventLogModel() : new EventSourcedModel(this.#asksRestart);
    return this.#model.take(message);
  }
}

/** A stream of one entity: every message goes to its model; what the model throws ends the stream with INTERNAL. */
function entity<In, Out>(open: () => { take(message: In): Out | readonly Out[] | undefined }): handleBidiStreamingCall<In, Out> {
  return (call) => {
    const model = open();
    call.on("data", (message: In) =>
      guarded(call, () => {
        const out = model.take(message);
        for (const one of Array.isArray(out) ? (out as readonly Out[]) : out === undefined ? [] : [out as Out]) call.write(one);
      }),
    );
    call.on("end", () => call.end());
    call.on("error", ignoreCut);
  };
}

function actions(): UntypedServiceImplementation {
  const handleUnary: handleUnaryCall<ActionCommand, ActionResponse> = (call, callback) =>
    callback(null, joined(answersTo(call.request.serviceName, call.request)));

  const handleStreamedOut: handleServerStreamingCall<ActionCommand, ActionResponse> = (call) => {
    for (const answer of answersTo(call.request.serviceName, call.request)) call.write(answer);
    call.end();
  };

  const handleStreamedIn: handleClientStreamingCall<ActionCommand, ActionResponse> = (call, callback) => {
    let service: string | undefined;
    const answers: ActionResponse[] = [];
    call.on("data", (command: ActionCommand) => {
      if (service === undefined) service = command.serviceName;
      else answers.push(...answersTo(service, command));
    });
    call.on("end", () => callback(null, joined(answers)));
    call.on("error", ignoreCut);
  };

  const handleStreamed: handleBidiStreamingCall<ActionCommand, ActionResponse> = (call) => {
    let service: string | undefined;
    call.on("data", (command: ActionCommand) =>
      guarded(call, () => {
        if (service === undefined) service = command.serviceName;
        else for (const answer of answersTo(service, command)) call.write(answer);
      }),
    );
    call.on("end", () => call.end());
    call.on("error", ignoreCut);
  };
  return { handleUnary, handleStreamedIn, handleStreamedOut, handleStreamed };
}

function guarded<In, Out>(call: ServerDuplexStream<In, Out>, run: () => void): void {
  try {
    run();
  } catch (error) {
    call.emit("error", { code: status.INTERNAL, details: error instanceof Error ? error.message : String(error) });
  }
}

/** A stream that was cut needs no more of us. */
function ignoreCut(): void {}
