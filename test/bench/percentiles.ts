/** Milliseconds below which a share of the samples lies (nearest rank). */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export interface Leg {
  readonly name: string;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly samples: number;
}

export function legOf(name: string, samples: readonly number[]): Leg {
  return { name, p50Ms: percentile(samples, 0.5), p99Ms: percentile(samples, 0.99), samples: samples.length };
}

/** `12.3 ms`, right-aligned. */
export function shown(milliseconds: number): string {
  return `${milliseconds.toFixed(1)} ms`.padStart(10);
}
