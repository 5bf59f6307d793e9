import { emptyMemory, fold } from "#domain/fold.ts";
import { NationalTable } from "#domain/national-table.ts";
import type { Overlay } from "#domain/overlay.ts";
import { compareText } from "#domain/opinion.ts";
import { slots } from "#domain/vocabulary.ts";
import { hubStream, lanes, regionStream } from "#proto/names.ts";
import type { Stream } from "../engine/store.ts";
import { loadState, loadTargets } from "./capital-tables.ts";
import { decodeEvent, decodeNational, sameBytes } from "./decoded.ts";
import { openedEpoch } from "./epochs.ts";
import { overlayEvents, overlayOf } from "./overlay-source.ts";
import type { People } from "./people.ts";
import type { Acknowledged } from "./truth.ts";
import type { Region, World } from "./world.ts";

/** Opinions that end at this moment are between two states (ms). */
const endingMs = 5_000;

/** What is not as it must be once everything is whole and quiet; empty: all is well. */
export function checkAtRest(world: World, people: People): string[] {
  const found: string[] = [];
  const say = (invariant: string, what: string) => void found.push(`${invariant}: ${what}`);
  if (people.waiting > 0) say("SYNC-1", `${people.waiting} people still wait for an answer`);
  for (const [who, why] of world.truth.stopped) say("SYNC-3", `${who} does not go on: ${why}`);
  for (const each of world.truth.acknowledged) {
    const lost = world.truth.excused.has(each) ? undefined : lostSomewhere(world, each);
    if (lost !== undefined) say("SYNC-1", `${each.wish.kind} ${each.wish.id} of ${each.region}: ${lost}`);
  }
  for (const region of world.regions) {
    checkEnds(world, region, say);
    checkLanes(world, region, say);
    checkTables(world, region, say);
    checkOverlays(world, region, say);
    checkDecisions(world, region, say);
  }
  checkFold(world, say);
  checkReading(world, say);
  checkCentral(world, people, say);
  return found;
}

type Say = (invariant: string, what: string) => void;

function lostSomewhere(
  { capital, regions }: World,
  { region: name, wish, revision }: Acknowledged,
): string | undefined {
  const region = regions.find((each) => each.name === name);
  const centre = region?.postgres.database.state;
  const national = capital.postgres.database.state;
  if (region === undefined || centre === undefined) return "no such region";
  const hasRevision = (id: string, least: number) => {
    const own = centre.directives.get(id)?.opinion;
    const known = national.opinions.get(id);
    if (own === undefined || (own.revision < least && !own.revoked))
      return `its centre lacks ${id} revision ${least}`;
    if (known === undefined || (known.revision < least && !known.revoked))
      return `the capital lacks ${id} revision ${least}`;
    return undefined;
  };
  switch (wish.kind) {
    case "issue":
    case "extend":
    case "revoke":
      return hasRevision(wish.id, revision);
    case "import":
      return wish.members.map(({ id }) => hasRevision(id, 1)).find((each) => each !== undefined);
    case "approve":
    case "approve-foreign":
    case "approve-batch": {
      const isIt = (approval: { directive: string; batch: string; region: string }) =>
        (approval.directive === wish.id || approval.batch === wish.id) && approval.region === name;
      if (!centre.approvals.some(isIt)) return "its centre lacks the approval";
      return national.approvals.some(isIt) ? undefined : "the capital lacks the approval";
    }
    case "revoke-batch":
      // Of a batch whose members are nowhere any more there is nothing to withdraw.
      if (centre.batches.get(wish.id)?.revokedAtMs === 0) return "its centre lacks the revocation";
      return national.revokedBatches.has(wish.id) ? undefined : "the capital lacks the revocation";
    case "set-trunk": {
      const known = national.trunks.get(`${wish.id} ${name}`)?.revision ?? 0;
      if ((centre.trunks.get(wish.id)?.revision ?? 0) < revision) return "its centre lacks the trunk";
      return known >= revision ? undefined : "the capital lacks the trunk";
    }
    case "stop":
      return (centre.stops.get(wish.id)?.revision ?? 0) >= revision ? undefined : "its centre lacks the stop";
    default:
      return wish satisfies never;
  }
}

/** Both ends of a copied stream of one epoch hold the same. */
function checkEnds({ capital }: World, region: Region, say: Say): void {
  const epoch = openedEpoch(region.store.streams);
  const pairs = [
    ...lanes.map((lane) => [regionStream.lane(lane, epoch), hubStream.up(lane, region.name, epoch)] as const),
    [regionStream.national(1), hubStream.national(1)] as const,
    [regionStream.forRegion(1), hubStream.forRegion(region.name, 1)] as const,
  ];
  for (const [here, there] of pairs) {
    const [one, other] = [region.store.streams.find(here), capital.hub.streams.find(there)];
    if (one === undefined || other === undefined) {
      say("SYNC-3", `${here} or ${there} is not there`);
      continue;
    }
    if (one.last !== other.last && !here.startsWith("EVENTS"))
      say("SYNC-3", `${there} ends at ${other.last}, ${here} of ${region.name} at ${one.last}`);
    const differs = firstDifference(one, other);
    if (differs !== undefined) say("SYNC-3", `${here} of ${region.name} and ${there} differ at ${differs}`);
  }
}

function firstDifference(one: Stream, other: Stream): number | undefined {
  const to = Math.min(one.last, other.last);
  for (let sequence = Math.max(one.first, other.first); sequence <= to; sequence += 1) {
    const [left, right] = [one.get(sequence)?.data, other.get(sequence)?.data];
    if (left === undefined || right === undefined || !sameBytes(left, right)) return sequence;
  }
  return undefined;
}

/** A producer's numbers grow in its lane; without a gap, unless a disk of the region came back older. */
function checkLanes({ truth }: World, { store, name }: Region, say: Say): void {
  const epoch = openedEpoch(store.streams);
  for (const lane of lanes) {
    const stream = store.streams.find(regionStream.lane(lane, epoch));
    const last = new Map<string, number>();
    for (const { subject, data, sequence } of stream?.read(stream.first, Number.MAX_SAFE_INTEGER) ?? []) {
      const producer = subject.slice(0, subject.lastIndexOf("."));
      if (producer.startsWith("refeed.")) continue;
      const { outbox } = decodeEvent(data);
      const before = last.get(producer) ?? (epoch === 1 ? 0 : outbox - 1);
      const isRight = truth.olderDisks.has(name) ? outbox > before : outbox === before + 1;
      if (!isRight)
        say(
          "SYNC-2",
          `${lane} of ${name} has number ${outbox} of ${producer} after ${before}, at ${sequence}`,
        );
      last.set(producer, Math.max(before, outbox));
    }
  }
}

function checkTables({ capital }: World, { name, replicas }: Region, say: Say): void {
  const { log } = capital.postgres.database.state;
  const fromScratch = new NationalTable(name);
  for (const { bytes } of log) fromScratch.apply(decodeNational(bytes));
  for (const { name: replica, running } of replicas) {
    if (running === undefined) continue;
    const { table } = running;
    if (table.sequence !== log.length)
      say("SYNC-4", `${replica} of ${name} is at NATIONAL ${table.sequence} of ${log.length}`);
    else if (!sameBytes(table.digest, fromScratch.digest))
      say("SYNC-4", `${replica} of ${name} has another table`);
    if (!running.isReady) say("SYNC-4", `${replica} of ${name} is not ready`);
  }
}

/** A centre knows what the nation decided on each revision that it holds. */
function checkDecisions({ capital }: World, { name, postgres }: Region, say: Say): void {
  const { decisions, log } = capital.postgres.database.state;
  const { directives, inbox } = postgres.database.state;
  const read = inbox.get(regionStream.national(1)) ?? 0;
  if (read !== log.length) say("SYNC-14", `the centre of ${name} is at NATIONAL ${read} of ${log.length}`);
  for (const [id, { opinion, decision }] of directives) {
    const known = decisions.get(id);
    if (known?.revision !== opinion.revision || known.decision === decision?.decision) continue;
    const has = decision?.decision ?? "nothing";
    say("SYNC-14", `the centre of ${name} knows ${has} of ${id}, and the nation decided ${known.decision}`);
  }
}

/** What each replica's overlay enforces is what the region's centre has, less what the nation took over. */
function checkOverlays(
  { scheduler, truth }: World,
  { name, replicas, postgres, store }: Region,
  say: Say,
): void {
  // What is nowhere any more is still in force where a replica remembers it, until it ends.
  if (truth.lostWork.has(name)) return;
  const nowMs = scheduler.nowMs;
  const whole = { epoch: openedEpoch(store.streams), eventsSequence: 0, urgentSequence: 0 };
  for (const { name: replica, running } of replicas) {
    if (running === undefined) continue;
    const expected = overlayOf(name, { ...whole, events: overlayEvents(postgres.database.state, nowMs) });
    running.foldDecisionsInto(expected);
    for (const [what, of] of overlayAspects(nowMs)) {
      const [has, should] = [of(running.overlay), of(expected)];
      if (has !== should)
        say("SYNC-8", `the overlay of ${replica} of ${name} has ${what} ${has}, and should have ${should}`);
    }
  }
}

function overlayAspects(nowMs: number): [string, (overlay: Overlay) => string][] {
  return [
    [
      "directives",
      (overlay) =>
        [...overlay.enforcedAt(nowMs)]
          .filter(({ expiresAtMs }) => expiresAtMs > nowMs + endingMs)
          .map(({ id, revision }) => `${id}#${revision}`)
          .toSorted(compareText)
          .join(),
    ],
    [
      "trunks",
      (overlay) =>
        [...overlay.trunks()]
          .map((trunk) => JSON.stringify(trunk))
          .toSorted(compareText)
          .join(),
    ],
    [
      "stops",
      (overlay) =>
        [...overlay.stops()]
          .map((stop) => JSON.stringify(stop))
          .toSorted(compareText)
          .join(),
    ],
  ];
}

/** The table is the fold of the opinions that the regions have, computed anew. */
function checkFold({ capital, regions, scheduler }: World, say: Say): void {
  const tables = capital.postgres.database.state;
  const nowMs = Math.max(Math.floor(scheduler.nowMs), tables.single.expiry.ms);
  const state = loadState(
    tables,
    regions.map(({ name }) => name),
    nowMs,
  );
  for (const { name, postgres } of regions) {
    for (const [id, { opinion }] of postgres.database.state.directives) {
      const known = tables.opinions.get(id);
      if (known?.revision !== opinion.revision || known.revoked !== opinion.revoked) {
        say(
          "SYNC-5",
          `the capital has revision ${known?.revision ?? 0} of ${id}, ${name} has ${opinion.revision}`,
        );
      }
    }
  }
  for (const target of new Set([...tables.opinions.values()].map((opinion) => opinion.target))) {
    const loaded = loadTargets(tables, [target], [], []);
    const opinions = loaded.opinions.filter((opinion) => opinion.target === target);
    if (opinions.some(({ expiresAtMs }) => Math.abs(expiresAtMs - nowMs) < endingMs)) continue;
    const context = { ...state.foldContext(nowMs, loaded.approvals), nextSequence: tables.log.length + 1 };
    const memory = tables.memories.get(target) ?? emptyMemory;
    const again = fold(target, opinions, { ...context, memory });
    if (again.changed.length + again.removed.length > 0)
      say("SYNC-5", `folding ${target} again changes ${[...again.changed, ...again.removed].join()}`);
    if (opinions.some(({ overrideRevision }) => overrideRevision > 0) || memory.overridden.length > 0)
      continue;
    const anew = fold(target, opinions, { ...context, memory: emptyMemory });
    for (const slot of slots) {
      const [has, should] = [memory.entries[slot], anew.entries[slot]].map((entry) =>
        JSON.stringify({ ...entry, revision: 0 }),
      );
      if (has !== should) say("SYNC-5", `${slot} of ${target} is ${has}, and folded anew ${should}`);
    }
  }
}

/** Nothing is waited for any more: what was left until then is folded. */
function checkReading({ capital }: World, say: Say): void {
  const { readTo, inbox, jobs } = capital.postgres.database.state;
  for (const [lane, upTo] of readTo) {
    const read = inbox.get(lane) ?? 0;
    if (read < upTo) say("SYNC-15", `the capital still waits for ${lane} up to ${upTo}, and read ${read}`);
  }
  if (jobs.size > 0) say("SYNC-15", `the capital has left ${jobs.size} targets unfolded`);
}

function checkCentral({ capital, truth }: World, people: People, say: Say): void {
  const { protectedNumbers, single } = capital.postgres.database.state;
  if (people.waiting > 0 || truth.hasLostOrders) return;
  const has = [...protectedNumbers.keys()].toSorted(compareText).join();
  const should = [...people.protectedNumbers].toSorted(compareText).join();
  if (has !== should) say("SYNC-1", `protected are ${has}, acknowledged ${should}`);
  if ((single.stop?.stopped ?? false) !== people.nationStopped)
    say("SYNC-1", "the nation's stop is not as it was acknowledged");
}
