// Figures that several scenarios of bench/upstream.mjs have in common.

/** Share in percent, two decimals. */
export function percent(part, whole) {
  return whole === 0 ? 0 : Math.round((part / whole) * 10_000) / 100;
}

/** Rounded to two decimals. */
export function round(value) {
  return Math.round(value * 100) / 100;
}

/** How long until `probe` returns something truthy, in milliseconds; Infinity when it does not within `limitMs`. */
export async function timeUntil(probe, limitMs, everyMs = 25) {
  const startMs = performance.now();
  while (performance.now() - startMs < limitMs) {
    if (await probe()) return Math.round(performance.now() - startMs);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
  return Infinity;
}
