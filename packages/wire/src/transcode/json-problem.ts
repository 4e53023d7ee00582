/** What is said of JSON that does not fit. */

/** A value that does not fit its field. `path` is filled from the inside out: `items[2].quantity`. */
export class JsonProblem extends Error {
  path = "";
  /** Puts the name of what surrounds the place in front. */
  within(step: string): this {
    this.path = this.path === "" || this.path.startsWith("[") ? step + this.path : `${step}.${this.path}`;
    return this;
  }
}

/** A value in a message: short. */
export function shown(json: unknown): string {
  if (Array.isArray(json)) return "an array";
  if (typeof json === "object" && json !== null) return "an object";
  const text = JSON.stringify(json);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
