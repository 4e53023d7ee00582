/** Who is in a room: a set that every sidecar holds, changes without asking the others, and tells its watchers about. */
import { command, crdt, message, orset, serve, t } from "mecha-sdk";

const People = message("People", { room: t.string, names: t.repeated(t.string) });

export const Presence = crdt({
  service: "chat.Presence",
  key: "room",
  state: orset(t.string),
  passivationMs: 60_000,
  commands: {
    who: command({ room: t.string }).http("GET /rooms/{room}").replies(People),
    // the name is in the room for as long as this stream is open
    enter: command({ room: t.string, name: t.string }).http("GET /rooms/{room}/people/{name}").replies(People).streamedOut(),
    leave: command({ room: t.string, name: t.string }).http("DELETE /rooms/{room}/people/{name}"),
  },
  handle: {
    who: ({ room }, ctx) => people(room, ctx.state),
    enter({ room, name }, ctx) {
      if (name === "") ctx.fail("name must not be empty", { code: "invalid" });
      ctx.state.add(name);
      ctx.stream({
        onChange(stream) {
          if (!stream.state.has(name)) stream.end(); // sent away
          return people(room, stream.state);
        },
        onCancel: ({ state }) => void state.delete(name),
      });
      return people(room, ctx.state);
    },
    leave({ name }, ctx) {
      ctx.state.delete(name);
    },
  },
});

const people = (room: string, names: Iterable<string>) => ({ room, names: [...names].sort() });

if (import.meta.main) await serve([Presence]);
