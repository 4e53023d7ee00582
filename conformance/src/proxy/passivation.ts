/** An entity with a timeout of 100 ms is gracefully closed, both ways, within this, ms (the TCK's bound). */
export const passivationGraceMs = 2_000;
