import type { Control } from "#infra/local/control.ts";
import { pause } from "#platform/lifecycle.ts";
import { checkNation, isAtCapital, type NationAccess, type Verdict } from "./checker.ts";
import { inflict } from "./inflict.ts";
import { Ledger, type LedgerEntry } from "./ledger.ts";
import { runLoad, type LoadPlan } from "./load.ts";
import { mendSite } from "./mend.ts";
import { describeFault, faultKinds, scheduleOf, type FaultKind, type SchedulePlan } from "./schedule.ts";

export interface FaultRun {
  readonly schedule: SchedulePlan;
  readonly load: Omit<LoadPlan, "seed">;
  /** What was acknowledged in earlier runs on the same nation, and must still be so. */
  readonly earlier: readonly LedgerEntry[];
  /** One line per fault and phase. */
  readonly report: (line: string) => void;
}

export interface FaultRunResult extends Verdict {
  readonly seed: number;
  readonly faults: Readonly<Record<FaultKind, number>>;
  readonly issued: number;
  readonly repeatedRequests: number;
  readonly questionsAnswered: number;
  readonly questionsUnanswered: number;
  /** Acknowledged, not at the capital yet, and the disk that knew it was lost: promised to nobody. */
  readonly atRisk: number;
  readonly ledger: Ledger;
}

/**
 * Puts a nation under load and faults, lets it heal, and compares what was
 * acknowledged with what every region enforces.
 */
export async function runFaults(
  nation: NationAccess,
  control: Control,
  run: FaultRun,
): Promise<FaultRunResult> {
  const { schedule, report } = run;
  const ledger = new Ledger();
  const stopLoad = new AbortController();
  const load = runLoad(nation.regions, ledger, { ...run.load, seed: schedule.seed }, stopLoad.signal);
  const faults = scheduleOf(schedule);
  try {
    const healing: Promise<void>[] = [];
    for (const { afterMs, fault } of faults) {
      await pause(afterMs, stopLoad.signal);
      report(describeFault(fault));
      const begun = await inflict(control, fault, (site, services) =>
        markWhatIsAtRisk(nation, ledger, site, services),
      );
      healing.push(begun.over);
      // Whoever awaits them all gets the failure.
      begun.over.catch(() => undefined);
    }
    await Promise.all(healing);
    report("every fault is over; the load goes on for two seconds");
    await pause(2_000, stopLoad.signal);
  } finally {
    stopLoad.abort();
    for (const site of [...schedule.regions, "capital"]) await mendSite(control, site);
    await load;
  }
  report(
    `${ledger.acknowledged.length} directives acknowledged, ${ledger.revoked.length} revoked; comparing`,
  );
  const verdict = await checkNation(nation, ledger, run.earlier);
  const kinds = faultKinds.map((kind) => [kind, faults.filter(({ fault }) => fault.kind === kind).length]);
  return {
    ...verdict,
    seed: schedule.seed,
    faults: Object.fromEntries(kinds) as Record<FaultKind, number>,
    issued: ledger.entries.length,
    repeatedRequests: ledger.repeatedRequests,
    questionsAnswered: ledger.questionsAnswered,
    questionsUnanswered: ledger.questionsUnanswered,
    atRisk: ledger.entries.filter(({ isAtRisk }) => isAtRisk).length,
    ledger,
  };
}

/** What the capital had not read when it was lost, it reads within so long once it runs again (ms). */
const readWaitMs = 5_000;
const lookAgainMs = 250;

/**
 * A region's database is gone and an older one comes back: what it had
 * acknowledged and nobody else knows is lost with the disk, and is no promise
 * of the platform (ARCHITECTURE.md, "Guarantees"). Everything else must stay.
 */
async function markWhatIsAtRisk(
  nation: NationAccess,
  ledger: Ledger,
  site: string,
  services: readonly string[],
): Promise<void> {
  if (!services.includes("postgres")) return;
  const untilMs = Date.now() + readWaitMs;
  let unknown = ledger.acknowledged.filter(({ region }) => region === site);
  for (;;) {
    const known = await Promise.all(unknown.map((entry) => isAtCapital(nation, entry).catch(() => false)));
    unknown = unknown.filter((_, index) => !known[index]);
    if (unknown.length === 0 || Date.now() > untilMs) break;
    await pause(lookAgainMs, AbortSignal.timeout(2 * lookAgainMs));
  }
  for (const entry of unknown) entry.isAtRisk = true;
}
