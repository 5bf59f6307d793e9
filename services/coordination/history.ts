import type { Alarms } from "#platform/alarms.ts";
import { pause } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { hubStream } from "#proto/names.ts";
import { isRevoked } from "./domain/key-changes.ts";
import { readNation } from "./nation-file.ts";
import { assertNotOlder } from "./regions-heard.ts";
import type { SealVerifier } from "./seal-verifier.ts";
import { capitalEpoch } from "./epochs.ts";
import { AuditChain } from "./store/audit.ts";
import { LeaderReplaced, type Lead } from "./store/lead.ts";
import type { Database } from "./store/load.ts";
import { HistoriesDiffer, recoverForRegion, recoverNational } from "./store/recover-national.ts";
import { loadNationalSeal } from "./store/seals.ts";
import { loadState } from "./store/start.ts";

/** The hub is asked again after so long (ms); a person may need hours. */
const retryWaitMs = 200;
const personWaitMs = 5_000;

interface Parts {
  readonly database: Database;
  readonly connection: NatsConnection;
  readonly log: Log;
  readonly alarms: Alarms;
  readonly verifier: Pick<SealVerifier, "keys">;
  readonly regionsFile: string;
}

/**
 * Waits until PostgreSQL has everything of NATIONAL that the hub has. Where the
 * two are not one history it raises an alarm and waits for a person: nothing is
 * written meanwhile, and the regions go on with what they have.
 *
 * @throws LeaderReplaced
 */
export async function takeHistoryBack(parts: Parts, lead: Lead, signal: AbortSignal): Promise<void> {
  const { database, connection, log, verifier, regionsFile } = parts;
  await untilOneHistory(parts, hubStream.national(capitalEpoch), signal, async () => {
    const [state, audit] = await Promise.all([loadState(database), AuditChain.open(database)]);
    const recovered = await recoverNational(database, connection, state, audit, lead);
    if (recovered > 0) log.warn({ event: "recovered", messages: recovered }, "taken back from the hub");
    const newest = await loadNationalSeal(database, capitalEpoch);
    const chain = { epoch: capitalEpoch, keys: verifier.keys, keyId: newest?.keyId ?? "" };
    // Read each time: a person may revoke a region's key while the capital waits.
    const nation = await readNation(regionsFile);
    const revoked = new Set(nation.filter(({ keyChanges }) => isRevoked(keyChanges)).map(({ slug }) => slug));
    await assertNotOlder({ database, connection, lead, revoked }, state.sequence, chain, signal);
  });
}

/** The same for FOR of a region. @returns its last message that PostgreSQL has */
export async function takeRegionBack(
  parts: Parts,
  lead: Lead,
  region: string,
  committed: number,
  signal: AbortSignal,
): Promise<number> {
  const stream = hubStream.forRegion(region, capitalEpoch);
  return untilOneHistory(parts, stream, signal, () =>
    recoverForRegion(parts.database, parts.connection, lead, region, committed),
  );
}

async function untilOneHistory<Result>(
  { log, alarms }: Parts,
  stream: string,
  signal: AbortSignal,
  recover: () => Promise<Result>,
): Promise<Result> {
  for (;;) {
    let waitMs = retryWaitMs;
    try {
      const result = await recover();
      alarms.clear("waits-for-person", stream);
      return result;
    } catch (error) {
      if (error instanceof LeaderReplaced) throw error;
      log.info({ stream, reason: String(error) }, "waiting for the history of the capital");
      if (error instanceof HistoriesDiffer) {
        alarms.raise("waits-for-person", stream, `${error.message}: ${error.remedy}`);
        waitMs = personWaitMs;
      }
    }
    if (!(await pause(waitMs, signal))) throw signal.reason;
  }
}
