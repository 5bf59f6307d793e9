import { regionOfId } from "#domain/vocabulary.ts";
import { regionStream, type Lane } from "#proto/names.ts";
import type { NationalBatch } from "#proto/qalqan/events/v1/events.ts";
import { waitsForOthers } from "../../../services/centre/domain/only-of-others.ts";
import { withOutboxNumber } from "../../../services/centre/store/outbox.ts";
import { asked } from "../engine/link.ts";
import { sleep, wait, type Pause, type Work } from "../engine/scheduler.ts";
import type { Stored } from "../engine/store.ts";
import { carryOut, type Reply, type Request } from "./centre-commands.ts";
import type { Flaws } from "./cores.ts";
import { decodeNational, decodeRegionBatch } from "./decoded.ts";
import { laneStream, numberBefore, openedEpoch } from "./epochs.ts";
import { Producer } from "./producer.ts";
import { reconcile } from "./reconciling.ts";
import type { CentreTables, OutboxRow } from "./tables.ts";
import type { Region, World } from "./world.ts";

const askWaitMs = 1_000;
const retryMs = 300;
const pollMs = 1_000;
const rowsMax = 20;
const sessionLookMs = 1_000;
const agreementEveryMs = 60_000;
const appendWaitMs = 8_000;
const personWaitMs = 3_000;

/** services/centre: people's requests are answered by `request`; what goes through the streams runs in sessions. */
export function startCentre(world: World, region: Region): void {
  region.agreedEpoch = undefined;
  region.centre.run(sessions(world, region));
}

/** One stretch of time in which epoch, server and database stay the same (services/centre/session.ts). */
interface Session {
  readonly epoch: number;
  isOver: boolean;
}

/** Outbox and lanes are brought together before anything else happens. */
function* sessions(world: World, region: Region): Work {
  const { scheduler } = world;
  const { centre, centreToStore: toStore, store, postgres } = region;
  for (;;) {
    const connections = `${store.machine.incarnation} ${postgres.machine.incarnation}`;
    const epoch = yield* asked(toStore, () => openedEpoch(store.streams), askWaitMs);
    if (epoch === undefined) {
      yield sleep(scheduler, retryMs);
      continue;
    }
    const untilMs = scheduler.nowMs + agreementEveryMs;
    const urgent = yield* openLane(world, region, "urgent", epoch);
    const events = yield* openLane(world, region, "events", epoch);
    if (urgent === undefined || events === undefined) continue;
    const numbers = { urgent: urgent.lastOutbox, events: events.lastOutbox };
    if (!(yield* reconcile(world, region, epoch, numbers))) {
      yield sleep(scheduler, retryMs);
      continue;
    }
    region.agreedEpoch = epoch;
    const session: Session = { epoch, isOver: false };
    centre.run(pump(world, region, "urgent", urgent, session));
    centre.run(pump(world, region, "events", events, session));
    for (const copy of copiesOf(world, region)) centre.run(followCopy(world, region, copy, session));
    while (!session.isOver && scheduler.nowMs < untilMs) {
      yield wait(scheduler, [store.machine.ended, postgres.machine.ended], sessionLookMs);
      if (connections !== `${store.machine.incarnation} ${postgres.machine.incarnation}`) break;
      const opened = yield* asked(toStore, () => openedEpoch(store.streams), askWaitMs);
      if (opened !== epoch || region.agreedEpoch === undefined) break;
    }
    session.isOver = true;
    region.agreedEpoch = undefined;
  }
}

function* openLane(world: World, region: Region, lane: Lane, epoch: number): Work<Producer | undefined> {
  return yield* Producer.open({
    ...{ scheduler: world.scheduler, link: region.centreToStore, name: "centre" },
    expects: !world.cores.flaws.appendsBlindly,
    trustsRestarted: world.cores.flaws.trustsRestarted,
    stream: () => laneStream(region.store.streams, lane, epoch),
    numberBefore: numberBefore("centre"),
  });
}

interface Copy {
  readonly name: string;
  readonly apply: (tables: CentreTables, message: Stored) => void;
}

function copiesOf({ cores }: World, region: Region): Copy[] {
  return [
    {
      name: regionStream.national(1),
      apply: (tables, message) =>
        applyNational(tables, region.name, decodeNational(message.data), cores.flaws),
    },
    {
      name: regionStream.forRegion(1),
      apply: (tables, message) => {
        for (const each of decodeRegionBatch(message.data).enforcements) {
          tables.enforcements.set(`${each.nationalSequence} ${each.region}`, each);
        }
      },
    },
  ];
}

/** A person asks a centre, and has an answer or none; the same request may be asked again. */
export function request(world: World, region: Region, asking: Request): Pause {
  const { scheduler } = world;
  return (resume) => {
    let isOver = false;
    const end = (reply: Reply | undefined) => {
      if (isOver) return;
      isOver = true;
      resume(reply);
    };
    scheduler.at(personWaitMs, () => end(undefined));
    const arrive = () => {
      region.centre.run(answer(world, region, asking, (reply) => scheduler.at(1, () => end(reply))));
      return true;
    };
    region.people.send(arrive, personWaitMs, () => undefined);
  };
}

function* answer(world: World, region: Region, asking: Request, reply: (reply: Reply) => void): Work {
  const { flaws } = world.cores;
  const nowMs = region.centre.clockMs;
  const { database } = region.postgres;
  if (flaws.answersBeforeCommit) reply({ kind: "accepted", revision: 1 });
  const write = () =>
    database.commit((tables) => {
      const isRepeated = tables.keys.has(asking.key);
      const done = carryOut(tables, region.name, asking, nowMs);
      if (done.kind === "accepted" && !isRepeated) world.truth.performed(asking.key);
      return done;
    });
  const result = yield* asked(region.centreToPostgres, write, askWaitMs);
  // Nobody knows whether it was committed: no answer, and the person asks again with the same key.
  if (result === undefined) return;
  world.scheduler.note(region.name, `${asking.key} ${asking.wish.kind} ${asking.wish.id} ${result.kind}`);
  region.outbox.notify();
  reply(result);
}

/** Carries one lane's outbox into its stream, in order, each row once (services/centre/pump.ts). */
function* pump(world: World, region: Region, lane: Lane, producer: Producer, session: Session): Work {
  const { scheduler } = world;
  const { centreToPostgres: toPostgres, postgres } = region;
  while (!session.isOver) {
    const read = () => rowsAfter(postgres.database.state, lane, producer.lastOutbox);
    const rows = yield* asked(toPostgres, read, askWaitMs);
    const stored: { number: number; place: OutboxRow["place"] }[] = [];
    for (const { number, type, bytes } of rows ?? []) {
      if (session.isOver) return;
      const numbered = withOutboxNumber(bytes, number);
      const appended = yield* producer.appendBytes(type, number, numbered, scheduler.nowMs + appendWaitMs);
      if (appended !== "stored") {
        session.isOver = true;
        return;
      }
      stored.push({ number, place: { epoch: session.epoch, sequence: producer.lastSequence } });
    }
    if (stored.length > 0) {
      const record = () => postgres.database.commit((tables) => (recordPlaces(tables, lane, stored), true));
      yield* asked(toPostgres, record, askWaitMs);
    }
    if (rows === undefined) yield sleep(scheduler, retryMs);
    else if (rows.length === 0) yield wait(scheduler, region.outbox, pollMs);
  }
}

/** Notes where rows stand, where that is not known. */
function recordPlaces(
  tables: CentreTables,
  lane: Lane,
  stored: readonly { readonly number: number; readonly place: OutboxRow["place"] }[],
): void {
  for (const { number, place } of stored) {
    const index = tables.outbox[lane].findIndex((row) => row.number === number);
    const row = tables.outbox[lane][index];
    if (row !== undefined && row.place === undefined) tables.outbox[lane][index] = { ...row, place };
  }
}

function rowsAfter({ outbox }: CentreTables, lane: Lane, number: number) {
  return outbox[lane].filter((row) => row.number > number).slice(0, rowsMax);
}

/** Applies a copy to the database: effect and watermark are one transaction (services/centre/consumers/inbox.ts). */
function* followCopy(world: World, region: Region, { name, apply }: Copy, session: Session): Work {
  const { scheduler } = world;
  const { centreToStore: toStore, centreToPostgres: toPostgres, postgres, store } = region;
  while (!session.isOver) {
    const last = yield* asked(toPostgres, () => postgres.database.state.inbox.get(name) ?? 0, askWaitMs);
    if (last === undefined) {
      yield sleep(scheduler, retryMs);
      continue;
    }
    const messages = yield* asked(
      toStore,
      () => store.streams.find(name)?.read(last + 1, rowsMax) ?? [],
      askWaitMs,
    );
    for (const [index, message] of (messages ?? []).entries()) {
      const from = last + index;
      const write = () => postgres.database.commit((tables) => moved(tables, name, from, message, apply));
      if (!(yield* asked(toPostgres, write, askWaitMs))) break;
    }
    if (messages === undefined) yield sleep(scheduler, retryMs);
    else if (messages.length === 0)
      yield wait(scheduler, store.streams.find(name)?.changed ?? region.outbox, pollMs);
  }
}

/** @returns false: another process has moved the watermark, and nothing was written */
function moved(
  tables: CentreTables,
  name: string,
  from: number,
  message: Stored,
  apply: (tables: CentreTables, message: Stored) => void,
): boolean {
  if ((tables.inbox.get(name) ?? 0) !== from) return false;
  tables.inbox.set(name, message.sequence);
  apply(tables, message);
  return true;
}

/** services/centre/consumers/national.ts */
function applyNational(
  tables: CentreTables,
  region: string,
  batch: NationalBatch,
  { forgetsAhead }: Flaws,
): void {
  for (const decision of batch.decisions) {
    const { directive, revision, missing } = decision;
    if (decision.region === region) {
      const row = tables.directives.get(directive);
      const known = row?.opinion.revision ?? 0;
      // What another history's revision was told before is no later word than this.
      tables.decisionsAhead.delete(`${directive} ${revision}`);
      if (row !== undefined && known === revision) tables.directives.set(directive, { ...row, decision });
      else if (known < revision && !forgetsAhead)
        tables.decisionsAhead.set(`${directive} ${revision}`, decision);
      continue;
    }
    tables.foreignHeld.delete(directive);
    if (waitsForOthers(decision)) tables.foreignHeld.set(directive, { revision, missing });
  }
  for (const { row } of batch.rows) {
    if (row?.$case === "protectedNumber")
      tables.protectedNumbers.set(row.value.number, row.value.originatesFrom);
    if (row?.$case === "removed" && row.value.startsWith("protected|")) {
      tables.protectedNumbers.delete(row.value.slice("protected|".length));
    }
  }
  for (const id of batch.revokedBatches) {
    const known = tables.batches.get(id);
    if (regionOfId(id) === region && known !== undefined && known.revokedAtMs === 0) {
      tables.batches.set(id, { ...known, revokedAtMs: batch.atMs });
    }
  }
}
