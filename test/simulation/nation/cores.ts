import type { NationalBatch } from "#proto/qalqan/events/v1/events.ts";
import { acceptApprovals, acceptDirectives } from "../../../services/coordination/domain/accept.ts";
import type { Changes } from "../../../services/coordination/domain/changes.ts";
import { recoveredChanges } from "../../../services/coordination/domain/recover.ts";
import { refold } from "../../../services/coordination/domain/refold.ts";
import { planReconcile } from "../../../services/centre/domain/reconcile.ts";
import { liftRevisions } from "../../../services/centre/domain/lift.ts";
import type { Enforcement } from "../../../services/screening/enforcement.ts";
import { planCopy } from "../../../services/replication/domain/copy.ts";
import { planBlock, planEpoch } from "../../../services/replication/domain/epoch.ts";
import type { CapitalTables } from "./tables.ts";

/** What a shell can do wrong; only tests set one. */
export interface Flaws {
  /** The outbox pump does not name its last message. */
  readonly appendsBlindly: boolean;
  /** A producer goes by what its server told it before a restart. */
  readonly trustsRestarted: boolean;
  /** Copies are appended without the sequence that is meant. */
  readonly copiesBlindly: boolean;
  /** The leader appends to NATIONAL without the sequence that is meant. */
  readonly publishesBlindly: boolean;
  /** The leader appends to NATIONAL before its step is committed. */
  readonly publishesBeforeCommit: boolean;
  /** Centre answers before its transaction is committed. */
  readonly answersBeforeCommit: boolean;
  /** A batch of NATIONAL is applied though one before it is missing. */
  readonly appliesWithGaps: boolean;
  /** A leader answers what changes nothing without looking whether it still leads. */
  readonly answersUnfenced: boolean;
  /** A copy goes on after a server was started again, without comparing. */
  readonly comparesOnce: boolean;
  /** A leader does not look whether a hub that was started again holds less. */
  readonly publishesOnce: boolean;
  /** A leader does not look whether a lane at the hub is still the one that it read. */
  readonly readsOnce: boolean;
  /** Centre gives its overlay without looking whether the lanes hold more than its database. */
  readonly answersUnchecked: boolean;
  /** A leader folds before the lanes are read again as far as they went. */
  readonly foldsAtOnce: boolean;
  /** A leader that finds another lane than it read does not look how far it had to read it again. */
  readonly trustsWatermarks: boolean;
  /** A leader waits for what a region says will never come in an epoch that is over. */
  readonly waitsForOldEpochs: boolean;
  /** Centre forgets what the nation decided on a directive that its database does not hold. */
  readonly forgetsAhead: boolean;
  /** A replica is ready without having reached the ends of its streams. */
  readonly readyAtOnce: boolean;
  /** A receipt names the next sequence, not the one applied. */
  readonly claimsTooMuch: boolean;
}

/**
 * The pure cores that the simulated nodes decide by: those of the services, but
 * where a test breaks one on purpose.
 */
export interface Cores {
  readonly planCopy: typeof planCopy;
  readonly planEpoch: typeof planEpoch;
  readonly planBlock: typeof planBlock;
  readonly planReconcile: typeof planReconcile;
  readonly liftRevisions: typeof liftRevisions;
  readonly acceptDirectives: typeof acceptDirectives;
  readonly acceptApprovals: typeof acceptApprovals;
  readonly refold: typeof refold;
  readonly recoveredChanges: typeof recoveredChanges;
  readonly applyNational: (replica: Enforcement, batch: NationalBatch) => boolean;
  /** @param write writes all of a step, or says why not */
  readonly writeChanges: (
    tables: CapitalTables,
    changes: Changes,
    write: (tables: CapitalTables, changes: Changes) => string | undefined,
  ) => string | undefined;
  readonly flaws: Flaws;
}

export const noFlaws: Flaws = {
  appendsBlindly: false,
  trustsRestarted: false,
  copiesBlindly: false,
  publishesBlindly: false,
  publishesBeforeCommit: false,
  answersBeforeCommit: false,
  appliesWithGaps: false,
  answersUnfenced: false,
  comparesOnce: false,
  publishesOnce: false,
  readsOnce: false,
  answersUnchecked: false,
  foldsAtOnce: false,
  trustsWatermarks: false,
  waitsForOldEpochs: false,
  forgetsAhead: false,
  readyAtOnce: false,
  claimsTooMuch: false,
};

export const realCores: Cores = {
  planCopy,
  planEpoch,
  planBlock,
  planReconcile,
  liftRevisions,
  acceptDirectives,
  acceptApprovals,
  refold,
  recoveredChanges,
  applyNational: (replica, batch) => replica.applyNational(batch),
  writeChanges: (tables, changes, write) => write(tables, changes),
  flaws: noFlaws,
};
