/** A method's `(cloudstate.eventing)` option, checked. The option is the protocol's; kalix has one of its own. */
import { type DescMethod, getOption, hasOption } from "@bufbuild/protobuf";
import { eventing } from "@mecha/wire/gen/cloudstate/eventing";
import type { ComponentKind, ComponentMethod } from "../model.ts";

/** What the method consumes and publishes; what is wrong with it goes to `problems`. `where`: `shop.Feed.Added`. */
export function eventingOf(
  kind: ComponentKind,
  method: DescMethod,
  where: string,
  problems: string[],
): Pick<ComponentMethod, "consumes" | "publishes"> {
  if (!hasOption(method, eventing)) return {};
  const { in: source, out } = getOption(method, eventing);
  const publishes = out?.destination.value;
  const name = source?.source.value;
  if (source?.source.case !== undefined && !name) problems.push(`Method ${where} consumes a ${wordOf(source.source.case)} without a name.`);
  if (out?.destination.case !== undefined && !publishes) problems.push(`Method ${where} publishes to a topic without a name.`);
  if (source?.source.case === "topic" && name === publishes)
    problems.push(`Method ${where} consumes topic ${name} and publishes to it: its messages would go round for ever.`);
  if (name && (method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming"))
    problems.push(`Method ${where} consumes events and takes a stream: an event is one message; let it take one.`);
  if (kind === "crdt" && publishes)
    problems.push(`Method ${where} of a CRDT publishes to a topic, which CRDTs cannot: let an action do it.`);
  const group = source?.consumerGroup || method.parent.typeName;
  return {
    ...(source?.source.case !== undefined && name && { consumes: { from: source.source.case, name, group } }),
    ...(publishes && { publishes }),
  };
}

function wordOf(source: "topic" | "eventLog"): string {
  return source === "topic" ? "topic" : "event log";
}
