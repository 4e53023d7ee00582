/** Vote: each replica's own mind; only those of live members count. */
import type { Vote } from "./state.ts";

export const emptyVote: Vote = { type: "vote", voters: new Map() };

export function joinVotes(a: Vote, b: Vote): Vote {
  if (a === b || b.voters.size === 0) return a;
  const voters = new Map(a.voters);
  for (const [replica, changes] of b.voters) if (changes > (voters.get(replica) ?? 0)) voters.set(replica, changes);
  return { type: "vote", voters };
}

export function castVote(state: Vote, vote: boolean, replica: string): Vote {
  const changes = state.voters.get(replica) ?? 0;
  return isFor(changes) === vote ? emptyVote : { type: "vote", voters: new Map([[replica, changes + 1]]) };
}

function isFor(changes: number): boolean {
  return changes % 2 === 1;
}

/**
 * What `replica` says. Inside maps it writes under `replica#number`, with one number for each map around (map.ts); the latest counts.
 */
export function voteOf(state: Vote, replica: string): boolean {
  let latest: readonly number[] = [];
  let vote = false;
  for (const [writer, changes] of state.voters) {
    const [base, ...numbers] = writer.split("#");
    if (base !== replica || isBefore(numbers.map(Number), latest)) continue;
    latest = numbers.map(Number);
    vote = isFor(changes);
  }
  return vote;
}

function isBefore(a: readonly number[], b: readonly number[]): boolean {
  for (const [at, number] of a.entries()) if (number !== b[at]) return number < (b[at] ?? 0);
  return a.length < b.length;
}
