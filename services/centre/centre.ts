import type { CentreConfig } from "./config.ts";
import type { Changes } from "./changes.ts";
import type { CapitalHearing } from "./consumers/heartbeat.ts";
import type { ViewMoment } from "./domain/directive-view.ts";
import { lanes, type Lane } from "#proto/names.ts";
import { sql } from "#platform/database.ts";
import { untilAborted } from "#platform/lifecycle.ts";
import type { Readiness } from "#platform/probes.ts";
import type { NatsConnection } from "#platform/nats.ts";
import type { CommitsNow } from "#platform/transaction.ts";
import type { LaneRoom } from "./lane-room.ts";
import { LaneDiffers } from "./session.ts";
import type { Standing } from "./standing.ts";
import type { CentreDatabase, CentreTransaction } from "./store/schema.ts";
import { writeAudit, type AuditEntry } from "./store/audit.ts";
import { fitsOneStatement, writeOutbox, type Outgoing, type WaitingRow } from "./store/outbox.ts";
import { inTransaction } from "./store/transaction.ts";

/** What a command writes beside its own tables. */
export interface Effects<Result> {
  readonly result: Result;
  /** Rows that are written together with audit and events, before them; the others are there already. */
  readonly rows?: readonly (() => Promise<unknown>)[];
  readonly audit: readonly AuditEntry[];
  readonly events: readonly Outgoing[];
}

/** A command that finds everything as it is wanted writes nothing. */
export function noEffects<Result>(result: Result): Effects<Result> {
  return { result, audit: [], events: [] };
}

/** The region's lanes in the epoch in which they are written now. */
export interface OpenLanes {
  readonly connection: NatsConnection;
  readonly epoch: number;
}

/** The parts of a running centre that its methods use. */
export class Centre {
  readonly config: CentreConfig;
  readonly database: CentreDatabase;
  readonly standing: Standing;
  readonly changes: Changes;
  readonly room: LaneRoom;
  readonly #hearing: CapitalHearing;
  readonly #committed: (lane: Lane, rows: readonly WaitingRow[]) => void;
  #lanes: OpenLanes | undefined;
  #endSession: (why: LaneDiffers) => void = () => undefined;

  constructor(
    config: CentreConfig,
    database: CentreDatabase,
    standing: Standing,
    changes: Changes,
    room: LaneRoom,
    hearing: CapitalHearing,
    committed: (lane: Lane, rows: readonly WaitingRow[]) => void,
  ) {
    this.config = config;
    this.database = database;
    this.standing = standing;
    this.changes = changes;
    this.room = room;
    this.#hearing = hearing;
    this.#committed = committed;
  }

  /** The region's lanes while this centre's outbox agrees with them; undefined: not now. */
  get lanes(): OpenLanes | undefined {
    return this.#lanes;
  }

  /**
   * From here until the signal the database holds everything that this centre ever said in the lanes.
   *
   * @throws LaneDiffers when somebody has seen meanwhile that it does not
   */
  async serveLanes(opened: OpenLanes, signal: AbortSignal): Promise<void> {
    const { promise, reject } = Promise.withResolvers<void>();
    this.#lanes = opened;
    this.#endSession = reject;
    try {
      await Promise.race([untilAborted(signal), promise]);
    } finally {
      this.#lanes = undefined;
      this.#endSession = () => undefined;
    }
  }

  /** A lane holds an event of this centre that its database does not: nothing is said of the lanes until it does. */
  laneDiffers(lane: Lane): void {
    this.#lanes = undefined;
    this.#endSession(new LaneDiffers(`${lane} was filled up with what the database lacks`));
  }

  get region(): string {
    return this.config.QALQAN_REGION;
  }

  /** Ready means: what is asked now can be answered, because the database answers. */
  async readiness(): Promise<Readiness> {
    try {
      await sql`select 1`.execute(this.database);
      return { ready: true, why: this.#lanes === undefined ? "the region's lanes are not open yet" : "" };
    } catch {
      return { ready: false, why: "the database does not answer" };
    }
  }

  /** What views of this moment are made with. */
  moment(): ViewMoment {
    return { region: this.region, nowMs: Date.now(), cutOff: this.#hearing.isCutOff };
  }

  /**
   * Carries out a command: its rows, audit and outbox are one transaction, and
   * after it the pumps are woken. What is returned has been committed.
   *
   * @throws Refusal `exhausted` when a lane has no room for it, `unavailable` when the outcome of the commit
   *   is unknown
   */
  async accept<Result>(work: (transaction: CentreTransaction) => Promise<Effects<Result>>): Promise<Result> {
    const carryOut = async (transaction: CentreTransaction, commitsNow: CommitsNow) => {
      const decided = await work(transaction);
      this.room.require(decided.events);
      // Sent at once, and carried out in this order. Lane counters before the audit's head, in every command:
      // locks are taken in one order, and what all commands share is locked last, so that nobody whose lane is
      // another one waits while an import writes its events.
      const rows = (decided.rows ?? []).map((write) => write());
      const audit = () => decided.audit.map((entry) => writeAudit(transaction, entry));
      const writing = Promise.all([writeOutbox(transaction, decided.events, audit), ...rows]);
      // None of them is looked at before the commit: what may not be written fails in PostgreSQL.
      if (fitsOneStatement(decided.events)) commitsNow();
      const [waitingRows] = await writing;
      return { effects: decided, waiting: waitingRows };
    };
    const { effects, waiting } = await inTransaction(this.database, carryOut, "once");
    this.room.took(effects.events);
    for (const lane of lanes) if (waiting[lane].length > 0) this.#committed(lane, waiting[lane]);
    this.changes.notify();
    return effects.result;
  }
}
