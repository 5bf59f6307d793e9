import { call, read } from "#platform/grpc-client.ts";
import { pause } from "#platform/lifecycle.ts";
import type { Metadata } from "@grpc/grpc-js";
import type { CoordinationClient } from "#proto/qalqan/coordination/v1/coordination.ts";
import type { ScreenResponse } from "#proto/qalqan/screening/v1/screening.ts";
import type { Ledger, LedgerEntry } from "./ledger.ts";
import type { RegionAccess } from "./load.ts";

/** What a run has shown; everything but the first numbers must be 0 or empty. */
export interface Verdict {
  readonly acknowledged: number;
  readonly revoked: number;
  /** Of earlier runs on the same nation, asked about again. */
  readonly earlier: number;
  /** Acknowledged, but some region does not enforce it (or still enforces what was revoked), or the capital has none. */
  readonly lost: string[];
  /** One request became two directives, or a directive stands twice at the capital. */
  readonly doubled: string[];
  /** Regions whose table differs from the capital's. */
  readonly diverged: string[];
  readonly refused: readonly string[];
  /** From the last heal until all regions were in sync and had what was acknowledged. */
  readonly convergedAfterMs: number;
}

const convergenceWaitMs = 90_000;
/** For so long nothing may have moved at the capital, all regions in sync: twice the time in which it seals (ms). */
const restMs = 1_500;
const lookAgainMs = 250;
/** Questions to one region that wait for their answers. */
const askedAtOnce = 16;
const listedMax = 1_000_000;

export interface NationAccess {
  readonly regions: readonly RegionAccess[];
  readonly coordination: CoordinationClient;
  /** A person who may read what is national. */
  readonly reader: Metadata;
}

/**
 * Waits until the nation is in sync, then compares the ledger with what every
 * region and the capital have. A table at rest is no proof that nothing is on
 * its way: a leader that has just begun folds what lay in the lanes later. So
 * what is missing may still come, within the same time.
 *
 * @param earlier what earlier runs were acknowledged, and must still be so
 * @param waitMs from now until what is missing counts as lost
 */
export async function checkNation(
  nation: NationAccess,
  ledger: Ledger,
  earlier: readonly LedgerEntry[] = [],
  waitMs = convergenceWaitMs,
): Promise<Verdict> {
  const beganAtMs = Date.now();
  const untilMs = beganAtMs + waitMs;
  const entries = [...ledger.acknowledged.filter(({ isAtRisk }) => !isAtRisk), ...earlier];
  let diverged = await waitForSync(nation, untilMs);
  let lost = await missingSomewhere(nation, entries);
  while (lost.length > 0 && Date.now() < untilMs) {
    diverged = await waitForSync(nation, untilMs);
    lost = await missingSomewhere(nation, entries);
  }
  const convergedAfterMs = Date.now() - beganAtMs;
  const atCapital = await compareWithCapital(nation, entries);
  return {
    acknowledged: ledger.acknowledged.length,
    revoked: ledger.revoked.length,
    earlier: earlier.length,
    lost: [...lost, ...atCapital.lost],
    doubled: atCapital.doubled,
    diverged,
    refused: ledger.refused,
    convergedAfterMs,
  };
}

async function waitForSync(nation: NationAccess, untilMs: number): Promise<string[]> {
  // Nothing may be under way any more: every reading of a while is the same, and in sync.
  let rests: { readonly sequence: number; readonly sinceMs: number } | undefined;
  let waiting: string[] = ["no answer from the capital"];
  while (Date.now() < untilMs) {
    try {
      const { sequence, regions } = await call(
        nation.coordination.getStatus.bind(nation.coordination),
        {},
        { metadata: nation.reader, deadlineMs: 2_000 },
      );
      waiting = regions
        .filter(({ state }) => state !== "in-sync")
        .map((each) => `${each.region} is ${each.state} at ${each.sequence} of ${sequence}`);
      const isEqual = waiting.length === 0 && regions.length >= nation.regions.length;
      if (!isEqual) rests = undefined;
      else if (rests?.sequence !== sequence) rests = { sequence, sinceMs: Date.now() };
      else if (Date.now() - rests.sinceMs >= restMs) return [];
    } catch (error) {
      rests = undefined;
      waiting = [String(error)];
    }
    await pause(lookAgainMs, AbortSignal.timeout(2 * lookAgainMs));
  }
  return waiting;
}

async function missingSomewhere(nation: NationAccess, entries: readonly LedgerEntry[]): Promise<string[]> {
  const found = await Promise.all(nation.regions.map((access) => missingIn(access, entries)));
  return found.flat();
}

/** Asks one region's screening about every number of the ledger, as a switch would. */
async function missingIn(access: RegionAccess, entries: readonly LedgerEntry[]): Promise<string[]> {
  const missing: string[] = [];
  for (let first = 0; first < entries.length; first += askedAtOnce)
    await Promise.all(
      entries.slice(first, first + askedAtOnce).map(async (entry) => {
        const { decision, directive } = await ask(access, entry);
        if (isRight(entry, decision, directive)) return;
        const found = `found ${decision} ${directive}`;
        missing.push(`${access.region}: ${entry.directive} expected ${expectedOf(entry)}, ${found}`);
      }),
    );
  return missing;
}

/**
 * Whether the capital has what was acknowledged about a directive, and so
 * nobody needs the region's disk for it. That other regions let a number pass
 * would not say so: they may never have heard of it.
 */
export async function isAtCapital(nation: NationAccess, entry: LedgerEntry): Promise<boolean> {
  const { state } = await call(
    nation.coordination.getDirective.bind(nation.coordination),
    { id: entry.directive ?? "" },
    { metadata: nation.reader, deadlineMs: 2_000 },
  );
  return entry.revocation === "none" || state === "revoked";
}

const expectedOf = ({ revocation }: LedgerEntry): "allow" | "block" =>
  revocation === "none" ? "block" : "allow";

function isRight(entry: LedgerEntry, decision: string, directive: string): boolean {
  // Whoever was refused was told so, and it counts there: nothing was promised about the outcome.
  if (entry.revocation === "refused") return decision === "allow" || directive === entry.directive;
  const expected = expectedOf(entry);
  return decision === expected && (expected === "allow" || directive === entry.directive);
}

function ask(access: RegionAccess, { number }: LedgerEntry): Promise<ScreenResponse> {
  return call(access.screening.screen.bind(access.screening), {
    requestId: 0,
    callingNumber: number,
    assertedNumber: "",
    calledNumber: "+77172551111",
    trunk: "intl-1",
    chargingId: "",
    callId: "",
    diversionNumber: "",
    attributedTo: "",
    trial: true,
    explain: false,
    atMs: 0,
  });
}

/** What the capital has of every number of the ledger: one directive, the one that was acknowledged. */
async function compareWithCapital(
  nation: NationAccess,
  entries: readonly LedgerEntry[],
): Promise<{ readonly doubled: string[]; readonly lost: string[] }> {
  const directivesOf = new Map<string, string[]>();
  const request = { state: "", batch: "", limit: listedMax };
  for await (const view of read(nation.coordination.listDirectives(request, nation.reader))) {
    directivesOf.set(view.target, [...(directivesOf.get(view.target) ?? []), view.id]);
  }
  const doubled: string[] = [];
  const lost: string[] = [];
  for (const { number, directive = "" } of entries) {
    const found = directivesOf.get(number) ?? [];
    if (!found.includes(directive)) lost.push(`capital: ${directive} expected, found ${found.join(", ")}`);
    if (found.length > 1) doubled.push(`${number} has ${found.join(", ")}`);
  }
  return { doubled, lost };
}
