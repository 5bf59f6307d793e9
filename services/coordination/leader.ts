import type { Alarms } from "#platform/alarms.ts";
import type { SealingKey } from "#domain/seal.ts";
import type { Lifecycle } from "#platform/lifecycle.ts";
import { Wake } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { hubStream, hubSubject, lanes as laneNames } from "#proto/names.ts";
import { BulkPace } from "./bulk-pace.ts";
import { Lanes } from "./consumers/lanes.ts";
import type { CapitalState } from "./domain/capital-state.ts";
import { hasChanges, type AuditLine } from "./domain/changes.ts";
import type { Command } from "./domain/commands.ts";
import type { Intake } from "./domain/intake.ts";
import type { SnapshotPace } from "./domain/snapshot-chunks.ts";
import { judgeRegion } from "./domain/nation.ts";
import { EnforcementTeller } from "./enforcement-teller.ts";
import { capitalEpoch } from "./epochs.ts";
import { sendHeartbeats } from "./heartbeat.ts";
import { leadsNoMore } from "./leads-no-more.ts";
import { LogPublisher } from "./log-publisher.ts";
import { NationalSeals } from "./national-seals.ts";
import type { SealVerifier } from "./seal-verifier.ts";
import { SnapshotWriter } from "./snapshot-writer.ts";
import { takeHistoryBack, takeRegionBack } from "./history.ts";
import { beginStep, takeIn, type StepDraft } from "./step.ts";
import { AuditChain } from "./store/audit.ts";
import { intelligenceFor } from "./store/intelligence.ts";
import { expiredPortion, nextExpiry, nextPortion, type Portion } from "./store/jobs.ts";
import type { Database } from "./store/load.ts";
import { enrolRegions, waitForLanesNoMore } from "./store/regions.ts";
import { Lead } from "./store/lead.ts";
import { loadState, readNationalLog, readRegionLog } from "./store/start.ts";
import { trimFigures } from "./store/statistics.ts";
import { writeChanges } from "./store/write.ts";
import { RegionReaders } from "./region-epochs.ts";
import { assertNotOlderNow } from "./regions-heard.ts";
import { trimNowAndThen, type TrimmerParts } from "./trimmer.ts";
import { answerOf, type WaitingCommand } from "./waiting-command.ts";

/** Targets folded, and rows taken in, by one step: so long an urgent event waits at most. */
const stepRowsMax = 500;
/** Bulk waits while so many messages are committed and not appended: the hub is slow, or away. */
const backlogMax = 8;
/** Of so many steps one takes bulk also while urgent work waits, so that bulk never starves. */
const bulkEverySteps = 4;
const idleWaitMs = 1_000;
const judgeIntervalMs = 250;
/** After the database came back older the lanes are read again before anything is folded, for so long at most (ms). */
const readAgainMsMax = 5 * 60_000;
const trimIntervalMs = 60_000;

/** What the leader works with. */
export interface LeaderParts {
  readonly database: Database;
  readonly connection: NatsConnection;
  readonly log: Log;
  readonly lifecycle: Lifecycle;
  /** Of each stream of the hub. */
  readonly replicas: number;
  readonly alarms: Alarms;
  readonly snapshots: SnapshotPace;
  readonly trim: Pick<TrimmerParts, "retention" | "everyMs" | "archived">;
  /** The key that NATIONAL is sealed with. */
  readonly sealingKey: SealingKey;
  readonly verifier: SealVerifier;
  readonly regionsFile: string;
}

/** What a leader begins with. */
interface Opened {
  readonly lead: Lead;
  readonly state: CapitalState;
  readonly audit: AuditChain;
  readonly seals: NationalSeals;
}

/**
 * The one writer of the national table. It takes in what regions send, folds,
 * and appends to NATIONAL what came of it, one transaction a step; the bytes
 * are committed before they are appended.
 */
export class Leader {
  readonly state: CapitalState;
  readonly #parts: LeaderParts;
  readonly #database: Database;
  readonly #connection: NatsConnection;
  readonly #log: Log;
  readonly #lifecycle: Lifecycle;
  readonly #lead: Lead;
  readonly #audit: AuditChain;
  readonly #teller: EnforcementTeller;
  readonly #lanes: Lanes;
  readonly #seals: NationalSeals;
  readonly #readers: RegionReaders;
  readonly #national: LogPublisher;
  readonly snapshots: SnapshotWriter;
  readonly #regional = new Map<string, LogPublisher>();
  readonly #wake = new Wake();
  readonly #pace: BulkPace;
  readonly #commands: WaitingCommand[] = [];
  /** Regions that were told nothing yet: who belongs to the nation, and intelligence that names them. */
  readonly #joined: string[] = [];
  #hasCeased = false;
  #steps = 0;
  #jobsPending = true;
  #expiryAtMs: number | undefined = 0;
  #judgedAtMs = 0;
  #trimmedAtMs = 0;
  readonly #openedAtMs = performance.now();

  private constructor(parts: LeaderParts, { lead, state, audit, seals }: Opened) {
    const { database, connection, log, lifecycle, verifier } = parts;
    this.#parts = parts;
    this.#database = database;
    this.#connection = connection;
    this.#log = log;
    this.#lifecycle = lifecycle;
    this.#lead = lead;
    this.state = state;
    this.#audit = audit;
    this.#teller = new EnforcementTeller(database, state);
    this.#seals = seals;
    this.#pace = new BulkPace(log, () => this.#wake.notify());
    this.#lanes = new Lanes(
      connection,
      log,
      () => this.#wake.notify(),
      (message) => verifier.saw(message),
    );
    this.#readers = new RegionReaders({
      ...{ ...parts, lead, state, lanes: this.#lanes },
      settle: () => this.carryOut(() => undefined),
    });
    const source = {
      stream: hubStream.national(capitalEpoch),
      subject: hubSubject.national(capitalEpoch),
      read: (from: number, limit: number) => readNationalLog(database, from, limit),
    };
    this.#national = new LogPublisher(connection, log, source, state.sequence, () => this.#wake.notify());
    this.snapshots = new SnapshotWriter(parts, parts.snapshots, () => this.published);
  }

  /**
   * Reads the state, takes back what the hub has of our history and PostgreSQL
   * has not, and begins to lead.
   *
   * @throws StreamForked
   */
  static async open(parts: LeaderParts): Promise<Leader> {
    const { database, lifecycle, verifier } = parts;
    const lead = await Lead.take(database);
    await takeHistoryBack(parts, lead, lifecycle.signal);
    const [state, audit] = await Promise.all([loadState(database), AuditChain.open(database)]);
    const seals = await NationalSeals.open(parts, lead, state.sequence);
    const leader = new Leader(parts, { lead, state, audit, seals });
    await leader.#national.align(lifecycle.signal);
    const audited = (line: AuditLine) => leader.carryOut(({ changes }) => void changes.audit.push(line));
    lifecycle.run("verify seals", (signal) => verifier.run(lead, audited, signal));
    lifecycle.run("append to NATIONAL", (signal) => leader.#national.run(signal));
    lifecycle.run("snapshots", (signal) => leader.snapshots.run(state.sequence, signal));
    lifecycle.run("heartbeat", (signal) => sendHeartbeats(parts.connection, leader, signal));
    lifecycle.run("watch lanes", (signal) => leader.#readers.watch(signal));
    lifecycle.run("pace", (signal) => leader.#pace.run(parts.connection, signal));
    const snapshots = () => leader.snapshots.written;
    const trimmer = { ...parts, ...parts.trim, lead, state, snapshots };
    lifecycle.run("trim", (signal) => trimNowAndThen(trimmer, signal));
    return leader;
  }

  /** Regions that are part of the nation from now on, with their streams in place. */
  async enrol(regions: readonly string[]): Promise<void> {
    const nowMs = Date.now();
    const fresh = regions.filter((region) => !this.#regional.has(region));
    if (fresh.length === 0) return;
    await enrolRegions(this.#database, fresh, nowMs);
    await this.#readers.prepare(fresh);
    const joined = fresh.filter((region) => (this.state.forSequences.get(region) ?? 0) === 0);
    await Promise.all(fresh.map((region) => this.#openRegion(region, nowMs)));
    this.#joined.push(...joined);
    await Promise.all(fresh.map((region) => this.#readers.read(region)));
    this.#wake.notify();
    this.#log.info({ regions: fresh.length, lanes: fresh.length * laneNames.length }, "regions follow");
  }

  async #openRegion(region: string, nowMs: number): Promise<void> {
    this.state.region(region, nowMs);
    const source = {
      stream: hubStream.forRegion(region, capitalEpoch),
      subject: hubSubject.forRegion(region, capitalEpoch),
      read: (from: number, limit: number) => readRegionLog(this.#database, region, from, limit),
    };
    const known = this.state.forSequences.get(region) ?? 0;
    const committed = await takeRegionBack(this.#parts, this.#lead, region, known, this.#lifecycle.signal);
    this.state.forSequences.set(region, committed);
    const publisher = new LogPublisher(this.#connection, this.#log, source, committed, () => undefined);
    await publisher.align(this.#lifecycle.signal);
    this.#regional.set(region, publisher);
    this.#lifecycle.run(`append to FOR of ${region}`, (signal) => publisher.run(signal));
  }

  /** Last message that is in NATIONAL. */
  get published(): number {
    return this.#national.published;
  }

  /**
   * Carries out a command in a step of its own; it holds when the promise resolves.
   *
   * @throws what the command throws; nothing was changed then
   * @throws Refusal `unavailable` once this process has ceased to lead
   */
  async carryOut<Result>(command: Command<Result>): Promise<Result> {
    if (this.#hasCeased) throw leadsNoMore();
    return new Promise<Result>((resolve, reject) => {
      this.#commands.push({
        run: ({ changes, national }) => command({ state: this.state, changes, draft: national }),
        resolve: (result) => resolve(result as Result),
        reject,
      });
      this.#wake.notify();
    });
  }

  /** Leads until the signal, and then until every command that was given by then is carried out. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted || this.#commands.length > 0) {
      if (await this.#step()) continue;
      await this.#wake.wait(this.#idleMs(), signal);
    }
    this.#hasCeased = true;
  }

  #idleMs(): number {
    const nowMs = this.#nowMs();
    const next = [
      this.#teller.dueAtMs(nowMs),
      this.#expiryAtMs,
      this.#judgedAtMs + judgeIntervalMs,
      nowMs + (this.#seals.dueInMs ?? Infinity),
      nowMs + (this.#lanes.eventsDueInMs ?? Infinity),
    ];
    const waits = next.filter((atMs) => atMs !== undefined).map((atMs) => Math.max(1, atMs - nowMs));
    return Math.min(idleWaitMs, ...waits);
  }

  /** The clock may be set back; what has ended stays ended. */
  #nowMs(): number {
    return Math.max(Date.now(), this.state.expiry.ms);
  }

  /** One step; false: there was nothing to do. */
  async #step(): Promise<boolean> {
    const nowMs = this.#nowMs();
    if (await this.#seal(nowMs)) return true;
    this.#steps += 1;
    const step = beginStep(this.state, nowMs);
    // While urgent work waits, a step has nothing else in it, but for each fourth.
    const isOpen = !this.#lanes.hasUrgent || this.#steps % bulkEverySteps === 0;
    const withBulk = isOpen && this.#national.backlog < backlogMax && this.#pace.mayGoOn();
    const messages = this.#lanes.take(isOpen, withBulk);
    const rows = messages.reduce((sum, message) => sum + message.rows, 0);
    const portion =
      withBulk && rows < stepRowsMax ? await this.#portion(stepRowsMax - rows, nowMs) : undefined;

    const command = this.#commands.shift();
    const answer = command === undefined ? undefined : answerOf(command, step);
    const beganMs = performance.now();
    const intake = await takeIn(step, messages, portion, this.state, this.#database);
    if (isOpen && (this.#teller.dueAtMs(nowMs) ?? Infinity) <= nowMs)
      await this.#teller.tell(step.changes, step.regional);
    await this.#welcome(step);
    this.#judge(step);
    const readMs = performance.now() - beganMs;
    const isWritten = await this.#commit(step);
    if (answer !== undefined && step.changes.batch === undefined)
      await this.#lead.confirm(this.#database, this.state.sequence);
    answer?.();
    const writeMs = performance.now() - beganMs - readMs;
    this.#log.debug(
      { messages: messages.length, rows, sequence: this.state.sequence, readMs, writeMs },
      "step",
    );
    this.#report(intake);
    await this.#trim(nowMs);
    return isWritten || messages.length > 0 || portion !== undefined || this.#joined.length > 0;
  }

  /** A step of its own, since a message with a seal has nothing else. */
  async #seal(nowMs: number): Promise<boolean> {
    const seal = this.#seals.next(nowMs, this.#lanes.hasUrgent);
    if (seal === undefined) return false;
    const step = beginStep(this.state, nowMs);
    step.changes.nationalSeal = seal;
    step.national.addSeal(seal);
    return this.#commit(step);
  }

  /**
   * Tells new regions who belongs to the nation and what names them, and the
   * others of the new ones: a region that is cut off right after its start
   * knows all the same whose receipts it has to show. All in one step, since
   * the first message of its FOR says that a region was welcomed.
   */
  async #welcome({ regional }: StepDraft): Promise<void> {
    const joined = this.#joined.splice(0);
    if (joined.length === 0) return;
    const nation = [...this.#regional.keys()];
    for (const region of nation) {
      for (const member of joined.includes(region) ? nation : joined) regional.addMember(region, member);
    }
    for (const region of joined) {
      for (const intelligence of await intelligenceFor(this.#database, region)) {
        regional.addIntelligence(region, { intelligence });
      }
    }
  }

  /** What is due to be folded again: urgent jobs, ends of opinions, the other jobs. */
  async #portion(targetsMax: number, nowMs: number): Promise<Portion | undefined> {
    if (this.state.isReadingAgain) {
      if (performance.now() - this.#openedAtMs < readAgainMsMax) return undefined;
      this.#log.warn({ event: "read-enough" }, "lanes that were to be read again do not come");
      await waitForLanesNoMore(this.#database, this.#lead);
      this.state.readEnough();
    }
    if (this.#expiryAtMs !== undefined && this.#expiryAtMs <= nowMs) {
      const portion = await expiredPortion(this.#database, this.state.expiry, nowMs, targetsMax);
      if (portion !== undefined) return portion;
      this.#expiryAtMs = await nextExpiry(this.#database, this.state.expiry);
    }
    if (!this.#jobsPending) return undefined;
    const portion = await nextPortion(this.#database, targetsMax);
    this.#jobsPending = portion !== undefined;
    return portion;
  }

  async #commit({ changes, national, regional }: StepDraft): Promise<boolean> {
    if (!national.isEmpty) changes.batch = national.finish(changes.nowMs);
    const lastOf = (region: string) => this.state.forSequences.get(region) ?? 0;
    changes.regionMessages.push(...regional.finish(changes.nowMs, lastOf));
    if (!hasChanges(changes)) return false;
    await writeChanges(this.#database, changes, this.#audit, this.#lead);

    const { batch } = changes;
    this.state.haveMoved(changes.lanes);
    if (batch !== undefined) {
      this.state.moved(batch.sequence, batch.digest);
      this.#national.committed(batch.sequence, batch.bytes);
      this.#seals.committed(batch.bytes, changes.nationalSeal);
      this.snapshots.committed(batch.sequence, batch.rows);
      this.#pace.published(batch.sequence, batch.rows);
      if (changes.decisions.length > 0) this.#teller.decided(changes.nowMs);
    }
    for (const { region, sequence, bytes } of changes.regionMessages) {
      this.state.forSequences.set(region, sequence);
      this.#regional.get(region)?.committed(sequence, bytes);
    }
    if (changes.introduced !== undefined) this.state.introduced = changes.introduced;
    for (const { region, sequence } of changes.told)
      this.state.region(region, changes.nowMs).toldSequence = sequence;
    if (changes.newJobs.length > 0) this.#jobsPending = true;
    for (const { expiresAtMs } of changes.directives) {
      this.#expiryAtMs = Math.min(this.#expiryAtMs ?? Infinity, expiresAtMs);
    }
    return true;
  }

  /** Looks a few times a second whether a region's state has changed; in each step whether anything may be written. */
  #judge({ changes }: StepDraft): void {
    const { nowMs } = changes;
    const { keys } = this.#parts.verifier;
    assertNotOlderNow(this.state, { epoch: capitalEpoch, keys, keyId: this.#seals.keyId });
    if (nowMs - this.#judgedAtMs < judgeIntervalMs) return;
    this.#judgedAtMs = nowMs;
    const { sequence: committed, heartbeat, digests } = this.state;
    for (const region of this.state.regions.values()) {
      const state = judgeRegion(region, { committed, heartbeat, digests }, nowMs);
      if (state === region.state) continue;
      this.#log.info({ of: region.region, before: region.state, state }, "the state of a region");
      region.state = state;
      region.sinceMs = nowMs;
      changes.states.push({ region: region.region, state, sinceMs: nowMs });
    }
  }

  #report(intake: Intake): void {
    for (const { region, stream, reason, count, firstSequence } of intake.refused.values()) {
      this.#log.warn({ from: region, stream, reason, count, firstSequence }, "refused what came up");
    }
    if (intake.unknown > 0)
      this.#log.warn({ events: intake.unknown }, "events of a kind that this release does not know");
  }

  async #trim(nowMs: number): Promise<void> {
    if (nowMs - this.#trimmedAtMs < trimIntervalMs) return;
    // Not with the first step: the start is busy.
    if (this.#trimmedAtMs > 0) await trimFigures(this.#database, nowMs);
    this.#trimmedAtMs = nowMs;
  }
}
