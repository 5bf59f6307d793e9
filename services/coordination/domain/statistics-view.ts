import { verdicts } from "#domain/vocabulary.ts";
import type { Statistics } from "#proto/qalqan/coordination/v1/coordination.ts";

interface CallFigures {
  readonly region: string;
  readonly verdict: string;
  readonly calls: number;
  readonly intercepted: number;
  readonly forged: number;
  readonly fallback: number;
}

interface Sum {
  calls: number;
  intercepted: number;
  forged: number;
}

/** The figures of a stretch of time; intercepted and forged are never added together. */
export function statisticsOf(
  figures: readonly CallFigures[],
  questions: { readonly questions: number; readonly shadowStopped: number },
): Statistics {
  const byRegion = new Map<string, Sum>();
  const byVerdict = new Map<string, number>(verdicts.map((verdict) => [verdict, 0]));
  const nation: Sum = { calls: 0, intercepted: 0, forged: 0 };
  let fallback = 0;
  for (const figure of figures) {
    const region = byRegion.get(figure.region) ?? { calls: 0, intercepted: 0, forged: 0 };
    byRegion.set(figure.region, region);
    for (const sum of [region, nation]) {
      sum.calls += figure.calls;
      sum.intercepted += figure.intercepted;
      sum.forged += figure.forged;
    }
    byVerdict.set(figure.verdict, (byVerdict.get(figure.verdict) ?? 0) + figure.calls);
    fallback += figure.fallback;
  }
  return {
    ...nation,
    byVerdict: [...byVerdict].map(([name, count]) => ({ name, count })),
    byRegion: [...byRegion].map(([region, sum]) => ({ region, ...sum })),
    questions: questions.questions,
    shadowStopped: questions.shadowStopped,
    fallbackShare: nation.calls === 0 ? 0 : fallback / nation.calls,
  };
}
