import { regionOfId } from "#domain/vocabulary.ts";
import { lanes, regionStream, type Lane } from "#proto/names.ts";
import type { NationalBatch } from "#proto/qalqan/events/v1/events.ts";
import { withOutboxNumber } from "../../../services/centre/store/outbox.ts";
import { asked } from "../engine/link.ts";
import { sleep, wait, type Pause, type Work } from "../engine/scheduler.ts";
import type { Stored } from "../engine/store.ts";
import { carryOut, type Reply, type Request } from "./centre-commands.ts";
import { decodeNational, decodeRegionBatch } from "./decoded.ts";
import { laneStream, numberBefore, openedEpoch } from "./epochs.ts";
import { Producer } from "./producer.ts";
import type { CentreTables } from "./tables.ts";
import type { Region, World } from "./world.ts";

const askWaitMs = 1_000;
const retryMs = 300;
const pollMs = 1_000;
const rowsMax = 20;
const epochLookMs = 2_000;
const personWaitMs = 3_000;

/** services/centre: two pumps, two watermarked readers; people's requests are answered by `request`. */
export function startCentre(world: World, region: Region): void {
  for (const lane of lanes) region.centre.run(pump(world, region, lane));
  region.centre.run(
    followCopy(world, region, regionStream.national(1), (tables, message) =>
      applyNational(tables, region.name, decodeNational(message.data)),
    ),
  );
  region.centre.run(
    followCopy(world, region, regionStream.forRegion(1), (tables, message) => {
      for (const each of decodeRegionBatch(message.data).enforcements) {
        tables.enforcements.set(`${each.nationalSequence} ${each.region}`, each);
      }
    }),
  );
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
function* pump(world: World, region: Region, lane: Lane): Work {
  const { scheduler } = world;
  const { centreToStore: toStore, centreToPostgres: toPostgres, postgres, store } = region;
  for (;;) {
    const epoch = yield* asked(toStore, () => openedEpoch(store.streams), askWaitMs);
    if (epoch === undefined) {
      yield sleep(scheduler, retryMs);
      continue;
    }
    const untilMs = scheduler.nowMs + epochLookMs;
    const producer = yield* Producer.open({
      ...{ scheduler, link: toStore, name: "centre", expects: !world.cores.flaws.appendsBlindly },
      stream: () => laneStream(store.streams, lane, epoch),
      numberBefore: numberBefore("centre"),
    });
    while (scheduler.nowMs < untilMs) {
      const read = () => rowsAfter(postgres.database.state, lane, producer.lastOutbox);
      const rows = yield* asked(toPostgres, read, askWaitMs);
      for (const { number, type, bytes } of rows ?? []) {
        const numbered = withOutboxNumber(bytes, number);
        if (!(yield* producer.appendBytes(type, number, numbered, untilMs))) break;
      }
      if (rows === undefined) yield sleep(scheduler, retryMs);
      else if (rows.length === 0) yield wait(scheduler, region.outbox, pollMs);
    }
  }
}

function rowsAfter({ outbox }: CentreTables, lane: Lane, number: number) {
  return outbox[lane].filter((row) => row.number > number).slice(0, rowsMax);
}

/** Applies a copy to the database: effect and watermark are one transaction (services/centre/consumers/inbox.ts). */
function* followCopy(
  world: World,
  region: Region,
  name: string,
  apply: (tables: CentreTables, message: Stored) => void,
): Work {
  const { scheduler } = world;
  const { centreToStore: toStore, centreToPostgres: toPostgres, postgres, store } = region;
  for (;;) {
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
function applyNational(tables: CentreTables, region: string, batch: NationalBatch): void {
  for (const decision of batch.decisions) {
    const { directive, revision, missing } = decision;
    if (decision.region === region) {
      const row = tables.directives.get(directive);
      if (row?.opinion.revision === revision) tables.directives.set(directive, { ...row, decision });
      continue;
    }
    tables.foreignHeld.delete(directive);
    if (
      decision.decision === "held" &&
      missing.some((kind) => kind === "second-region" || kind === "carrier")
    ) {
      tables.foreignHeld.set(directive, { revision, missing });
    }
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
