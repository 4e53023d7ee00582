/** What can be typed after `mecha events`. */
import { type Command } from "commander";
import type { eventsList, eventsParked, eventsPublish, eventsRetry, eventsSkip, eventsTopics } from "./commands/events.ts";
import type { Io } from "./io.ts";

/** What all commands are made with. */
export interface CommandTools {
  /** Gives a command the options of those that talk to a running Mecha. */
  readonly client: (command: Command) => Command;
  readonly examples: (lines: readonly string[]) => string;
  readonly wholeNumber: (min: number, max: number) => (text: string) => number;
}

/** Adds the commands. */
export function addEvents(program: Command, io: Io, { client, examples, wholeNumber }: CommandTools): void {
  const events = program
    .command("events")
    .description("Look at who consumes events, at events that could not be delivered, and at topics; publish one.")
    .addHelpText("after", examples(["mecha events list", "mecha events parked", "mecha events retry --all"]));
  client(events.command("list"))
    .description("List consumer groups: what they consume, and how far behind they are.")
    .addHelpText("after", examples(["mecha events list", "mecha events list -o json"]))
    .action(async (options: Parameters<typeof eventsList>[1]) => (await import("./commands/events.ts")).eventsList(io, options));
  client(events.command("parked"))
    .description("List events that were given up after too many attempts, oldest first.")
    .option("--limit <n>", "at most this many", wholeNumber(1, 1_000_000), 100)
    .addHelpText("after", examples(["mecha events parked", "mecha events parked -o json"]))
    .action(async (options: Parameters<typeof eventsParked>[1]) => (await import("./commands/events.ts")).eventsParked(io, options));
  client(events.command("retry"))
    .description("Deliver parked events once more, out of their order. One that fails again stays parked.")
    .argument("[event...]", "names shown by `mecha events parked`")
    .option("--all", "every event that is parked")
    .addHelpText("after", examples(["mecha events retry l7 t3", "mecha events retry --all"]))
    .action(async (ids: readonly string[], options: Parameters<typeof eventsRetry>[1]) =>
      (await import("./commands/events.ts")).eventsRetry(io, options, ids),
    );
  client(events.command("skip"))
    .description("Let parked events go for good.")
    .argument("[event...]", "names shown by `mecha events parked`")
    .option("--all", "every event that is parked")
    .addHelpText("after", examples(["mecha events skip l7", "mecha events skip --all"]))
    .action(async (ids: readonly string[], options: Parameters<typeof eventsSkip>[1]) =>
      (await import("./commands/events.ts")).eventsSkip(io, options, ids),
    );
  client(events.command("topics"))
    .description("List topics that hold something.")
    .addHelpText("after", examples(["mecha events topics"]))
    .action(async (options: Parameters<typeof eventsTopics>[1]) => (await import("./commands/events.ts")).eventsTopics(io, options));
  client(events.command("publish"))
    .description("Publish one event to a topic.")
    .argument("<topic>", "name of the topic")
    .argument("<data>", "what is in it: JSON, or what --content-type says")
    .requiredOption("--type <type>", "type of the event; the full name of a message for a method that takes it")
    .option("--id <id>", "tells it from others of its source; sent again with the same id it is not published again (a new one)")
    .option("--source <source>", "where it comes from", "mecha-cli")
    .option("--subject <subject>", "what it is about; events about one subject keep their order")
    .option("--content-type <type>", "of the data", "application/json")
    .addHelpText("after", examples([`mecha events publish orders --type shop.Ordered '{"sku":"tea"}'`]))
    .action(async (topic: string, data: string, options: Parameters<typeof eventsPublish>[1]) =>
      (await import("./commands/events.ts")).eventsPublish(io, options, topic, data),
    );
}
