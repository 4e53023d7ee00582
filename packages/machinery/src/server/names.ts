/** Names made from `generateName`. What a name must be like is validateMeta's (@mecha/kinds). */
import type { Random } from "@mecha/kit";

/** Letters and digits of generated suffixes: no vowels and no look-alikes, so that no words come out. */
const suffixLetters = "bcdfghjklmnpqrstvwxz2456789";
const suffixLength = 5;
/** Of a generated name, characters. */
const generatedMax = 63;

/** `base` (cut to fit) and five random letters. */
export function generatedName(base: string, random: Random): string {
  let suffix = "";
  for (let i = 0; i < suffixLength; i++) suffix += suffixLetters[random.below(suffixLetters.length)] ?? "";
  return base.slice(0, generatedMax - suffixLength) + suffix;
}
