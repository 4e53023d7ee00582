/** The `grpc-timeout` header: at most eight digits and a unit (gRPC over HTTP/2, "Timeout"). */

const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };
const largestMs = 99_999_999 * 3_600_000;

/** Milliseconds (with fractions), or undefined when `text` is no timeout. */
export function parseTimeout(text: string): number | undefined {
  const unit = unitMs[text.charAt(text.length - 1)];
  if (unit === undefined || text.length < 2 || text.length > 9) return undefined;
  let amount = 0;
  for (let at = 0; at < text.length - 1; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return undefined;
    amount = amount * 10 + digit;
  }
  return amount * unit;
}

/** Never shorter than `ms`, in the finest unit from milliseconds up that fits eight digits; 0 or less becomes one nanosecond. */
export function formatTimeout(ms: number): string {
  if (!(ms > 0)) return "1n";
  if (ms >= largestMs) return "99999999H";
  for (const unit of ["m", "S", "M", "H"] as const) {
    const amount = Math.ceil(ms / (unitMs[unit] as number));
    if (amount <= 99_999_999) return `${amount}${unit}`;
  }
  return "99999999H";
}
