import type { Metadata } from "@grpc/grpc-js";
import { call, RemoteError } from "#platform/grpc-client.ts";
import { pause } from "#platform/lifecycle.ts";
import type { CentreClient } from "#proto/qalqan/centre/v1/centre.ts";
import type { ScreeningClient } from "#proto/qalqan/screening/v1/screening.ts";
import type { Ledger, LedgerEntry } from "./ledger.ts";
import { randomFrom } from "./schedule.ts";

/** How the load reaches one region. */
export interface RegionAccess {
  readonly region: string;
  readonly centre: CentreClient;
  readonly screening: ScreeningClient;
  /** Metadata of operator number `index` (from 1) of this region. */
  readonly operator: (index: number) => Promise<Metadata>;
}

export interface LoadPlan {
  readonly seed: number;
  /** Part of the numbers, up to six digits: no other run on the same nation has it. */
  readonly block: number;
  /** Clients that issue and revoke, per region. */
  readonly clients: number;
  /** Between two commands of one client, at most. */
  readonly pauseMsMax: number;
}

/** Below the 50 targets that one operator may block alone in a day (domain.md). */
const targetsPerOperator = 45;
const commandDeadlineMs = 3_000;
const retryWaitMs = 200;
/** Below the week that an operator may block for, also where a clock is wrong by an hour. */
const lifeMs = 6 * 24 * 3_600_000;
/** How long a client goes on repeating one request: longer than any fault of a run. */
const repeatForMs = 90_000;
const revokedShare = 0.25;

/**
 * Issues and revokes directives in every region until the signal aborts, and
 * writes down what was acknowledged. A request without an answer is repeated
 * with the same idempotency key; so at the end nothing is uncertain.
 */
export async function runLoad(
  regions: readonly RegionAccess[],
  ledger: Ledger,
  plan: LoadPlan,
  signal: AbortSignal,
): Promise<void> {
  const clients = regions.flatMap((access, place) => [
    ...Array.from({ length: plan.clients }, (_, index) =>
      runClient(access, ledger, plan, place * plan.clients + index, signal),
    ),
    askLikeASwitch(access, ledger, signal),
  ]);
  await Promise.all(clients);
}

async function runClient(
  access: RegionAccess,
  ledger: Ledger,
  plan: LoadPlan,
  client: number,
  signal: AbortSignal,
): Promise<void> {
  const random = randomFrom(plan.seed * 1_000 + client);
  const own: LedgerEntry[] = [];
  for (let issued = 0; !signal.aborted;) {
    const revocable = own.find((entry) => entry.directive !== undefined && entry.revocation === "none");
    if (revocable !== undefined && random() < revokedShare) {
      await revoke(
        access,
        ledger,
        revocable,
        await access.operator(operatorOf(plan, client, own.indexOf(revocable))),
      );
    } else {
      const serial = String(plan.block * 1_000_000 + client * 10_000 + issued).padStart(12, "0");
      const entry = ledger.open(access.region, `+447${serial}`, `load-${serial}`);
      await issue(access, ledger, entry, await access.operator(operatorOf(plan, client, issued)));
      own.push(entry);
      issued++;
    }
    await pause(Math.floor(random() * plan.pauseMsMax), signal);
  }
}

/** Each client of a run has operators of its own, a new one after 45 targets. */
function operatorOf({ block }: LoadPlan, client: number, issued: number): number {
  return block * 100_000 + 1_000 * (client + 1) + Math.floor(issued / targetsPerOperator);
}

async function issue(
  access: RegionAccess,
  ledger: Ledger,
  entry: LedgerEntry,
  metadata: Metadata,
): Promise<void> {
  await repeated(ledger, entry, async () => {
    const view = await call(
      access.centre.issueDirective.bind(access.centre),
      {
        number: entry.number,
        range: "",
        trunk: "",
        action: "block",
        basis: "communications-law-41-1",
        reason: "fraud",
        expiresAtMs: Date.now() + lifeMs,
        scope: "nation",
        overrideRevision: 0,
        evidence: [],
        falseStopOf: "",
        dryRun: false,
        idempotencyKey: entry.idempotencyKey,
      },
      { metadata, deadlineMs: commandDeadlineMs },
    );
    entry.directive = view.id;
    entry.acknowledgedAtMs = Date.now();
  });
}

async function revoke(
  access: RegionAccess,
  ledger: Ledger,
  entry: LedgerEntry,
  metadata: Metadata,
): Promise<void> {
  const { directive } = entry;
  if (directive === undefined) return;
  entry.revocation = "asked";
  const isAnswered = await repeated(ledger, entry, async () => {
    try {
      await call(
        access.centre.revokeDirective.bind(access.centre),
        { id: directive, reason: "mistake" },
        { metadata, deadlineMs: commandDeadlineMs },
      );
    } catch (error) {
      // A repeated revocation: the first one was accepted, its answer was lost.
      if (!(error instanceof RemoteError) || !(await isRevoked(access, directive, metadata))) throw error;
    }
    entry.revocation = "acknowledged";
  });
  if (!isAnswered) entry.revocation = "refused";
}

async function isRevoked(access: RegionAccess, directive: string, metadata: Metadata): Promise<boolean> {
  const view = await call(
    access.centre.getDirective.bind(access.centre),
    { id: directive },
    { metadata, deadlineMs: commandDeadlineMs },
  );
  return view.state === "revoked";
}

/**
 * Sends a request until it is answered; a refusal that is no outage is written
 * down and ends it. What a lost disk may have taken may be unknown.
 *
 * @returns whether it was carried out
 */
async function repeated(ledger: Ledger, entry: LedgerEntry, send: () => Promise<void>): Promise<boolean> {
  const giveUpAtMs = Date.now() + repeatForMs;
  for (;;) {
    try {
      await send();
      return true;
    } catch (error) {
      const outage = error instanceof RemoteError && error.isOutage;
      if (!outage || Date.now() > giveUpAtMs) {
        if (!entry.isAtRisk) ledger.refused.push(error instanceof Error ? error.message : String(error));
        return false;
      }
      ledger.repeatedRequests++;
      await pause(retryWaitMs, AbortSignal.timeout(2 * retryWaitMs));
    }
  }
}

/** Asks about ordinary calls all the time: some answer must come, or the switch's own timer lets the call go on. */
async function askLikeASwitch(access: RegionAccess, ledger: Ledger, signal: AbortSignal): Promise<void> {
  const switchTimerMs = 300;
  for (let asked = 0; await pause(25, signal); asked++) {
    try {
      const answer = await call(
        access.screening.screen.bind(access.screening),
        {
          requestId: 0,
          callingNumber: "+77172550000",
          assertedNumber: "",
          calledNumber: "+77172551111",
          trunk: "dom-1",
          chargingId: `load-${access.region}-${asked}`,
          callId: "",
          diversionNumber: "",
          attributedTo: access.region,
          trial: false,
          explain: false,
          atMs: 0,
        },
        { deadlineMs: switchTimerMs },
      );
      if (answer.verdict === "allow") ledger.questionsAnswered++;
      else ledger.refused.push(`an ordinary call was answered ${answer.verdict} (${answer.reason})`);
    } catch {
      ledger.questionsUnanswered++;
    }
  }
}
