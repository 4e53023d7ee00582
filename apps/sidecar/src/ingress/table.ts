/** Which path leads to which method: built anew from the components at each update, and swapped whole. */
import { Fault } from "@mecha/kit";
import type { Component, ComponentMethod } from "@mecha/state";
import { bindingShape, type DescriptorSet, type HttpRoute, messageTypeUrl, RouteTable, type Strictness, Transcoder } from "@mecha/wire";

/** What one function hosts: its components, and the descriptors it sent with them. */
export interface Hosted {
  readonly components: readonly Component[];
  readonly descriptors: DescriptorSet;
}

/** A method that can be called. */
export interface Target {
  readonly component: Component;
  readonly method: ComponentMethod;
  /** The method's output is google.protobuf.Empty: answering nothing answers that. */
  readonly answersEmpty: boolean;
}

/** An HTTP route and what it leads to. */
export interface HttpTarget extends Target {
  readonly route: HttpRoute;
}

/** Immutable. */
export interface IngressTable {
  /** By gRPC path, `/package.Service/Method`. */
  readonly grpc: ReadonlyMap<string, Target>;
  readonly http: RouteTable<HttpTarget>;
}

/**
 * @throws Fault("alreadyExists") naming both when two components have one service, or two services one HTTP route;
 *   Fault("invalid") when a component's service or method is not in the descriptors, or an annotation is illegal.
 */
export function buildTable(hosted: readonly Hosted[], strict: Strictness): IngressTable {
  const grpc = new Map<string, Target>();
  const entries: { httpMethod: string; template: HttpRoute["binding"]["template"]; value: HttpTarget }[] = [];
  const services = new Set<string>();
  const owners = new Map<string, HttpTarget>();
  for (const { components, descriptors } of hosted) {
    const transcoder = new Transcoder(descriptors.registry, { strict });
    for (const component of components) {
      if (services.has(component.service)) {
        throw new Fault("alreadyExists", `two functions host the service ${component.service}; a service has one function`);
      }
      services.add(component.service);
      for (const target of targetsOf(component, descriptors, transcoder)) {
        grpc.set(`/${component.service}/${target.method.name}`, target);
        checkOwner(owners, target);
        entries.push({ httpMethod: target.route.binding.httpMethod, template: target.route.binding.template, value: target });
      }
    }
  }
  return { grpc, http: new RouteTable(entries, { strict: strict !== undefined }) };
}

function targetsOf(component: Component, descriptors: DescriptorSet, transcoder: Transcoder): HttpTarget[] {
  const service = descriptors.service(component.service);
  if (!service) throw new Fault("invalid", `the descriptors lack the service ${component.service}`);
  for (const name of component.methods.keys()) {
    if (!service.methods.some((method) => method.name === name)) {
      throw new Fault("invalid", `the descriptors lack the method ${component.service}.${name}`);
    }
  }
  const methods = service.methods.filter((method) => component.methods.has(method.name));
  return transcoder.routes(methods).map((route) => {
    const method = component.methods.get(route.binding.method.name) as ComponentMethod;
    return { component, method, answersEmpty: method.outputTypeUrl === messageTypeUrl("google.protobuf.Empty"), route };
  });
}

/** Within a service the later route wins, as in the reference; between services nobody could say which is meant. */
function checkOwner(owners: Map<string, HttpTarget>, target: HttpTarget): void {
  const shape = bindingShape(target.route.binding);
  const other = owners.get(shape);
  if (other && other.component.service !== target.component.service) {
    throw new Fault(
      "alreadyExists",
      `${nameOf(other)} and ${nameOf(target)} have the same HTTP route ${shape}; change the google.api.http option of one`,
    );
  }
  owners.set(shape, target);
}

export function nameOf({ component, method }: Target): string {
  return `${component.service}.${method.name}`;
}
