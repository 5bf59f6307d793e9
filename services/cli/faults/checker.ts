import { call, read } from "#platform/grpc-client.ts";
import { pause } from "#platform/lifecycle.ts";
import type { Metadata } from "@grpc/grpc-js";
import type { CoordinationClient } from "#proto/qalqan/coordination/v1/coordination.ts";
import type { Ledger } from "./ledger.ts";
import type { RegionAccess } from "./load.ts";

/** What a run has shown; everything but the first numbers must be 0 or empty. */
export interface Verdict {
  readonly acknowledged: number;
  readonly revoked: number;
  /** Acknowledged, but some region does not enforce it (or still enforces what was revoked). */
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
 * @param waitMs from now until what is missing counts as lost
 */
export async function checkNation(
  nation: NationAccess,
  ledger: Ledger,
  waitMs = convergenceWaitMs,
): Promise<Verdict> {
  const beganAtMs = Date.now();
  const untilMs = beganAtMs + waitMs;
  let diverged = await waitForSync(nation, untilMs);
  let lost = await missingSomewhere(nation, ledger);
  while (lost.length > 0 && Date.now() < untilMs) {
    diverged = await waitForSync(nation, untilMs);
    lost = await missingSomewhere(nation, ledger);
  }
  const convergedAfterMs = Date.now() - beganAtMs;
  return {
    acknowledged: ledger.acknowledged.length,
    revoked: ledger.revoked.length,
    lost,
    doubled: await doubledAtTheCapital(nation, ledger),
    diverged,
    refused: ledger.refused,
    convergedAfterMs,
  };
}

async function waitForSync(nation: NationAccess, untilMs: number): Promise<string[]> {
  // Nothing may be under way any more: two equal readings, both in sync.
  let before = -1;
  let waiting: string[] = ["no answer from the capital"];
  while (Date.now() < untilMs) {
    try {
      const status = await call(
        nation.coordination.getStatus.bind(nation.coordination),
        {},
        { metadata: nation.reader, deadlineMs: 2_000 },
      );
      waiting = status.regions
        .filter(({ state }) => state !== "in-sync")
        .map(({ region, state, sequence }) => `${region} is ${state} at ${sequence} of ${status.sequence}`);
      const idle = status.sequence === before && status.regions.length >= nation.regions.length;
      if (waiting.length === 0 && idle) return [];
      before = status.sequence;
    } catch (error) {
      waiting = [String(error)];
    }
    await pause(1_500, AbortSignal.timeout(3_000));
  }
  return waiting;
}

async function missingSomewhere(nation: NationAccess, ledger: Ledger): Promise<string[]> {
  const found: string[] = [];
  for (const access of nation.regions) found.push(...(await missingIn(access, ledger)));
  return found;
}

/** Asks one region's screening about every number of the ledger, as a switch would. */
async function missingIn(access: RegionAccess, ledger: Ledger): Promise<string[]> {
  const missing: string[] = [];
  for (const entry of ledger.acknowledged) {
    const answer = await call(access.screening.screen.bind(access.screening), {
      requestId: 0,
      callingNumber: entry.number,
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
    const expected = entry.revocation === "acknowledged" ? "allow" : "block";
    const right =
      answer.decision === expected && (expected === "allow" || answer.directive === entry.directive);
    if (!right) {
      missing.push(
        `${access.region}: ${entry.directive} expected ${expected}, found ${answer.decision} ${answer.directive}`,
      );
    }
  }
  return missing;
}

async function doubledAtTheCapital(nation: NationAccess, ledger: Ledger): Promise<string[]> {
  const directivesOf = new Map<string, string[]>();
  const request = { state: "", batch: "", limit: listedMax };
  for await (const view of read(nation.coordination.listDirectives(request, nation.reader))) {
    directivesOf.set(view.target, [...(directivesOf.get(view.target) ?? []), view.id]);
  }
  const doubled: string[] = [];
  for (const entry of ledger.acknowledged) {
    const found = directivesOf.get(entry.number) ?? [];
    if (found.length !== 1 || found[0] !== entry.directive) {
      doubled.push(`${entry.directive}: the capital has ${found.length === 0 ? "none" : found.join(", ")}`);
    }
  }
  return doubled;
}
