import { leafHash } from "#domain/merkle.ts";
import { hubStream, lanes } from "#proto/names.ts";
import { laneName, type CapitalState } from "../../../services/coordination/domain/capital-state.ts";
import { noChanges, type Changes } from "../../../services/coordination/domain/changes.ts";
import type { Intake } from "../../../services/coordination/domain/intake.ts";
import { NationalBatchDraft } from "../../../services/coordination/domain/national-batch.ts";
import { RegionBatchesDraft } from "../../../services/coordination/domain/region-batch.ts";
import { asked } from "../engine/link.ts";
import { Ends, sleep, Wake, wait, type Work } from "../engine/scheduler.ts";
import {
  expiredTargets,
  goesDown,
  loadTargets,
  openState,
  epochsToRead,
  targetsOfJob,
  waitForLanesNoMore,
  writeChanges,
} from "./capital-tables.ts";
import { compareLanes, type Queue } from "./lane-comparing.ts";
import { sameBytes } from "./decoded.ts";
import { epochsMax } from "./epochs.ts";
import { sendHeartbeats } from "./heartbeat.ts";
import { takeHistoryBack } from "./history.ts";
import { Lead } from "./lead.ts";
import { carryOut, hasChanges, takeIn, type LaneMessage, type Portion } from "./leader-step.ts";
import { Publisher } from "./publisher.ts";
import { Teller } from "./teller.ts";
import type { Coordination, World } from "./world.ts";
import { makeHubStreams } from "./streams.ts";

const askWaitMs = 2_000;
const retryMs = 200;
const lockEveryMs = 700;
const idleMs = 1_000;
const streamsEveryMs = 1_500;
const takenMax = 12;
const readMax = 16;
const backlogMax = 8;
/** Lanes that were to be read again are waited for so long at most; a run has no five minutes. */
const readAgainMsMax = 60_000;

/** services/coordination of one replica: it waits for the lock, and then leads until it ends. */
export function* coordinate(world: World, coordination: Coordination): Work {
  const { scheduler, capital } = world;
  const { machine, toPostgres } = coordination;
  const { incarnation } = machine;
  const tryLock = () => {
    const { generation } = capital.postgres.database;
    const { lock } = capital;
    const isHeld =
      lock !== undefined &&
      lock.generation === generation &&
      lock.holder.incarnation === lock.incarnation &&
      lock.holder.isUp;
    if (isHeld && lock.holder !== machine) return false;
    capital.lock = { holder: machine, incarnation, generation };
    return true;
  };
  while ((yield* asked(toPostgres, tryLock, askWaitMs)) !== true) yield sleep(scheduler, lockEveryMs);
  scheduler.note(machine.name, "leads");
  const lead = yield* Lead.take(world, coordination);
  yield* new Leader(world, coordination, lead).lead();
}

/** The one writer of the national table (services/coordination/leader.ts and step.ts). */
class Leader {
  readonly #world: World;
  readonly #own: Coordination;
  readonly #lead: Lead;
  readonly #wake = new Wake();
  readonly #queues: Queue[] = [];
  #turn = 0;
  #publishers = new Map<string, Publisher>();
  #openedAtMs = 0;
  /** Of each region those that are read; the last stands ready, and is not used yet. */
  readonly #epochs = new Map<string, number[]>();

  constructor(world: World, own: Coordination, lead: Lead) {
    this.#world = world;
    this.#own = own;
    this.#lead = lead;
  }

  *lead(): Work {
    const { scheduler, capital, regions, truth } = this.#world;
    const { machine, toPostgres } = this.#own;
    const { database } = capital.postgres;
    const names = regions.map(({ name }) => name);
    yield* takeHistoryBack(this.#world, this.#own, this.#lead);
    for (const name of names) {
      this.#epochs.set(name, yield* this.#ask(() => epochsToRead(database.state, name)));
    }
    if (!(yield* this.#makeStreams())) throw new Ends("the hub does not answer");
    const opened = yield* asked(
      toPostgres,
      () => openState(database.state, names, machine.clockMs),
      askWaitMs,
    );
    if (opened === undefined) throw new Ends("PostgreSQL went away");
    const { state, watermarks, marks } = opened;
    this.#openedAtMs = scheduler.nowMs;
    const national = this.#publisher(
      "NATIONAL",
      hubStream.national(1),
      (sequence) => database.state.log[sequence - 1]?.bytes,
      state.sequence,
    );
    yield* national.align();
    machine.run(national.run());
    for (const name of names) {
      const readOne = (sequence: number) => database.state.regionLogs.get(name)?.[sequence - 1];
      const publisher = this.#publisher(
        `FOR ${name}`,
        hubStream.forRegion(name, 1),
        readOne,
        state.forSequences.get(name) ?? 0,
      );
      yield* publisher.align();
      machine.run(publisher.run());
      this.#publishers.set(name, publisher);
      for (const lane of lanes) {
        for (let epoch = 1; epoch <= epochsMax; epoch += 1) {
          const stream = hubStream.up(lane, name, epoch);
          const key = laneName({ region: name, lane, epoch });
          const after = watermarks.get(key) ?? 0;
          this.#queues.push({
            region: name,
            lane,
            epoch,
            stream,
            read: after,
            leaf: marks.get(key)?.findLast(({ sequence }) => sequence === after)?.leaf,
            messages: [],
          });
        }
      }
    }
    const { incarnation } = capital.hub.machine;
    yield* compareLanes(this.#world, this.#own, this.#lead, state, this.#queues);
    // A hub that went away meanwhile may hold other lanes, which are compared before they are read.
    for (const { stream, ...place } of incarnation === capital.hub.machine.incarnation ? this.#queues : []) {
      // Another one may have begun to lead meanwhile, and read further back.
      const read = Math.min(place.read, database.state.inbox.get(laneName(place)) ?? 0);
      for (const message of capital.hub.streams.find(stream)?.read(1, read) ?? [])
        truth.watermark(stream, message, capital);
    }
    machine.run(this.#readLanes(state));
    machine.run(sendHeartbeats(this.#world, this.#own, () => national.published));
    const teller = new Teller(this.#world, state);
    for (;;) {
      if (!(yield* this.#step(state, national, teller))) yield wait(scheduler, this.#wake, idleMs);
    }
  }

  #publisher(
    name: string,
    stream: string,
    read: (sequence: number) => Uint8Array | undefined,
    committed: number,
  ): Publisher {
    const { scheduler, capital, cores } = this.#world;
    const { toHub, toPostgres } = this.#own;
    const find = () => capital.hub.streams.find(stream);
    const hub = capital.hub.machine;
    const looksAgain = !cores.flaws.publishesOnce;
    return new Publisher(
      {
        ...{ scheduler, name, hub, toHub, toPostgres, stream: find, read, looksAgain },
        expects: !cores.flaws.publishesBlindly,
      },
      committed,
    );
  }

  *#makeStreams(): Work<boolean> {
    const make = () => {
      makeHubStreams(this.#world, (region) => this.#epochs.get(region) ?? []);
      return true;
    };
    return (yield* asked(this.#own.toHub, make, askWaitMs)) ?? false;
  }

  /** Reads ahead into queues (consumers/lanes.ts). */
  *#readLanes(state: CapitalState): Work {
    const { scheduler, capital } = this.#world;
    const { streams } = capital.hub;
    let lookAtMs = 0;
    for (;;) {
      let read = 0;
      if (scheduler.nowMs >= lookAtMs) {
        lookAtMs = scheduler.nowMs + streamsEveryMs;
        yield* this.#makeStreams();
        yield* compareLanes(this.#world, this.#own, this.#lead, state, this.#queues);
      }
      for (const queue of this.#queues) {
        if (this.#epochs.get(queue.region)?.includes(queue.epoch) !== true) continue;
        if ((streams.find(queue.stream)?.last ?? 0) <= queue.read || queue.messages.length > readMax)
          continue;
        const { read: before, leaf } = queue;
        const readOn = () => {
          const stream = streams.find(queue.stream);
          const there = stream?.get(before);
          // After a restart of the hub it is read on only from what it still has.
          const isSame = leaf === undefined || (there !== undefined && sameBytes(leafHash(there.data), leaf));
          return isSame ? (stream?.read(before + 1, readMax) ?? []) : [];
        };
        const messages = yield* asked(this.#own.toHub, readOn, askWaitMs);
        if (queue.read !== before) continue;
        for (const { sequence, data, storedAtMs } of messages ?? []) {
          if (sequence !== queue.read + 1) throw new Ends(`${queue.stream} goes on with ${sequence}`);
          const { region, lane, epoch, stream } = queue;
          queue.messages.push({ region, lane, epoch, stream, sequence, data, storedAtMs });
          queue.read = sequence;
          queue.leaf = leafHash(data);
          read += 1;
          const epochs = this.#epochs.get(region) ?? [];
          if (epoch === epochs.at(-1)) this.#epochs.set(region, [...epochs, epoch + 1]);
        }
      }
      if (read > 0) this.#wake.notify();
      else yield wait(scheduler, streams.changed, retryMs);
    }
  }

  /** Urgent lanes first, the regions in turns. */
  #take(): LaneMessage[] {
    const taken: LaneMessage[] = [];
    this.#turn += 1;
    for (const lane of lanes) {
      const queues = this.#queues.filter((queue) => queue.lane === lane && queue.messages.length > 0);
      for (let index = 0; index < queues.length && taken.length < takenMax; index += 1) {
        const queue = queues[(index + this.#turn) % queues.length];
        if (queue !== undefined) taken.push(...queue.messages.splice(0, takenMax - taken.length));
      }
    }
    return taken;
  }

  *#step(state: CapitalState, national: Publisher, teller: Teller): Work<boolean> {
    const { capital, cores, truth } = this.#world;
    const { machine, toPostgres } = this.#own;
    const { database } = capital.postgres;
    // The clock may be set back; what has ended stays ended.
    const nowMs = Math.max(machine.clockMs, state.expiry.ms);
    const changes = noChanges(nowMs);
    const draft = new NationalBatchDraft(state.sequence + 1, state.digest);
    const regional = new RegionBatchesDraft();
    const messages = this.#take();
    const mayFold = national.backlog < backlogMax && !(yield* this.#waitsForLanes(state));
    const portion = mayFold ? yield* this.#portion(nowMs) : undefined;
    const order = capital.orders.shift();
    if (order !== undefined) carryOut(order.command, { state, changes, draft });
    const intake = takeIn(messages, { state, changes, draft }, this.#world);
    yield* this.#fold(intake, portion, state, changes, draft);
    yield* teller.tell(changes, regional, (read) => this.#ask(read));
    if (!draft.isEmpty) changes.batch = draft.finish(nowMs);
    changes.regionMessages.push(...regional.finish(nowMs, (region) => state.forSequences.get(region) ?? 0));
    const confirmed = order === undefined || changes.batch !== undefined || cores.flaws.answersUnfenced;
    if (!hasChanges(changes)) {
      if (!confirmed) yield* this.#confirmLead(state);
      order?.answer();
      return messages.length > 0;
    }
    const write = () => {
      if (!this.#lead.isHeld) return "another one leads";
      const commit = goesDown(changes) ? database.commit.bind(database) : database.commitLater.bind(database);
      const objection = commit((tables) => cores.writeChanges(tables, changes, writeChanges));
      if (objection === undefined) for (const each of messages) truth.watermark(each.stream, each, capital);
      return objection ?? "written";
    };
    if (cores.flaws.publishesBeforeCommit && changes.batch !== undefined) {
      const { bytes, sequence } = changes.batch;
      const append = () =>
        capital.hub.streams.find(hubStream.national(1))?.append("batch", bytes, { last: sequence - 1 }, 0) ??
        0;
      yield* asked(this.#own.toHub, append, askWaitMs);
    }
    const outcome = yield* asked(toPostgres, write, askWaitMs);
    // What became of it is not known: this process ends, and another one reads what is true.
    if (outcome !== "written") throw new Ends(outcome ?? "PostgreSQL did not say whether it was written");
    this.#written(changes, state, national, teller);
    if (!confirmed) yield* this.#confirmLead(state);
    order?.answer();
    return true;
  }

  /** What changes nothing is answered from memory, which a leader that was replaced holds for true. */
  *#confirmLead({ sequence }: CapitalState): Work {
    const { database } = this.#world.capital.postgres;
    const isSo = yield* this.#ask(() => this.#lead.isHeld && database.state.log.length === sequence);
    if (!isSo) throw new Ends(`NATIONAL is not at ${sequence}, or another one leads`);
  }

  #written(changes: Changes, state: CapitalState, national: Publisher, teller: Teller): void {
    state.haveMoved(changes.lanes);
    for (const move of changes.lanes) this.#world.truth.laneRead(laneName(move), move.to);
    const { batch } = changes;
    if (batch !== undefined) {
      state.moved(batch.sequence, batch.digest);
      this.#world.truth.committed(batch.sequence, batch.digest);
      this.#world.scheduler.note(
        this.#own.machine.name,
        `commits NATIONAL ${batch.sequence}, ${changes.decisions.length} decisions`,
      );
      national.commit(batch.sequence);
      if (changes.decisions.length > 0) teller.decided();
    }
    for (const { region, sequence } of changes.regionMessages) {
      state.forSequences.set(region, sequence);
      this.#publishers.get(region)?.commit(sequence);
    }
    if (changes.introduced !== undefined) state.introduced = changes.introduced;
    for (const { region, sequence } of changes.told)
      state.region(region, changes.nowMs).toldSequence = sequence;
  }

  *#ask<Answer>(read: () => Answer): Work<Answer> {
    const answer = yield* asked(this.#own.toPostgres, read, askWaitMs);
    if (answer === undefined) throw new Ends("PostgreSQL went away");
    return answer;
  }

  /** Whether nothing is folded yet, since lanes are read again (services/coordination/leader.ts). */
  *#waitsForLanes(state: CapitalState): Work<boolean> {
    const { scheduler, capital, cores, truth } = this.#world;
    if (!state.isReadingAgain || cores.flaws.foldsAtOnce) return false;
    if (scheduler.nowMs - this.#openedAtMs < readAgainMsMax) return true;
    yield* this.#lead.write((tables) => {
      truth.readEnough(capital);
      waitForLanesNoMore(tables);
    });
    state.readEnough();
    return false;
  }

  /** Ends of opinions, then jobs. */
  *#portion(nowMs: number): Work<Portion | undefined> {
    const { database } = this.#world.capital.postgres;
    return (yield* this.#ask(() => {
      const tables = database.state;
      const expired = expiredTargets(tables, nowMs);
      if (expired !== undefined) return { portion: { ...expired, finished: [] } };
      const [job] = tables.jobs.values();
      if (job === undefined) return { portion: undefined };
      return { portion: { targets: targetsOfJob(tables, job), finished: [job], expiry: undefined } };
    })).portion;
  }

  *#fold(
    intake: Intake,
    portion: Portion | undefined,
    state: CapitalState,
    changes: Changes,
    draft: NationalBatchDraft,
  ): Work {
    const { cores, capital, truth } = this.#world;
    const { database } = capital.postgres;
    if (portion !== undefined) {
      changes.finishedJobs.push(...portion.finished);
      changes.expiry = portion.expiry;
      if (portion.expiry !== undefined) state.expiry = portion.expiry;
    }
    const approved = intake.approvals.map(({ directive }) => directive).filter((id) => id !== "");
    if (intake.directives.length + intake.approvals.length + (portion?.targets.length ?? 0) === 0) return;
    const { loaded, targets } = yield* this.#ask(() => {
      const tables = database.state;
      const ofApproved = approved.flatMap((id) => tables.opinions.get(id)?.target ?? []);
      const all = [
        ...new Set([
          ...intake.directives.map(({ target }) => target),
          ...ofApproved,
          ...(portion?.targets ?? []),
        ]),
      ];
      const ids = [...new Set([...intake.directives.map(({ id }) => id), ...approved])];
      const batches = [...intake.approvals, ...intake.directives]
        .map(({ batch }) => batch)
        .filter((batch) => batch !== "");
      return { loaded: loadTargets(tables, all, ids, batches), targets: all };
    });
    const opinions = cores.acceptDirectives(intake, loaded.opinions, changes);
    cores.acceptApprovals(intake, loaded.approvals, changes);
    if (state.isReadingAgain && !cores.flaws.foldsAtOnce) {
      for (const key of targets) changes.newJobs.push({ kind: "target", key, urgent: false });
      return;
    }
    truth.folds(capital);
    const context = state.foldContext(changes.nowMs, [...loaded.approvals, ...changes.approvals]);
    const { memories, published } = loaded;
    const refolded = cores.refold(targets, { opinions, memories, published }, context, draft);
    changes.memories = refolded.memories;
    changes.decisions = refolded.decisions;
    for (const target of refolded.left) changes.newJobs.push({ kind: "target", key: target, urgent: false });
  }
}
