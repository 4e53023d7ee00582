/** The texts a caller sees when an entity fails, word for word those of the reference proxy (facts/cloudstate.md §1.12). */

/** Texts of one kind of entity. */
export interface EntityTexts {
  /** The function declared a failure. */
  readonly failure: string;
  /** A reply nobody asked for, or with another command's id. */
  readonly reply: string;
  /** Something else than a reply or failure. */
  readonly message: string;
  /** The stream ended while a command was at the function. */
  readonly termination: string;
  /** For commands that were queued behind one of these. */
  readonly queued: string;
  /** The stored record could not be read. */
  readonly recovery: string;
}

export const eventSourcedTexts: EntityTexts = {
  failure: "Unexpected entity failure",
  reply: "Unexpected entity reply",
  message: "Unexpected entity message",
  termination: "Unexpected entity termination",
  queued: "Entity terminated",
  recovery: "Error recovering event log",
};

export const valueTexts: EntityTexts = {
  failure: "Unexpected Value entity failure",
  reply: "Unexpected Value entity reply",
  message: "Unexpected Value entity message",
  termination: "Unexpected Value entity termination",
  queued: "Value entity terminated",
  recovery: "Unexpected Value entity failure",
};
