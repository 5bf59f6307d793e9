import { hubStream, lanes } from "#proto/names.ts";
import { laneName } from "../../../services/coordination/domain/capital-state.ts";
import { asked } from "../engine/link.ts";
import { Ends, sleep, type Work } from "../engine/scheduler.ts";
import { writeChanges } from "./capital-tables.ts";
import { decodeNational, sameBytes } from "./decoded.ts";
import { epochsMax } from "./epochs.ts";
import type { Lead } from "./lead.ts";
import type { CapitalTables } from "./tables.ts";
import type { Coordination, World } from "./world.ts";

const askWaitMs = 2_000;
const personWaitMs = 5_000;

/**
 * Takes back what the hub has of the capital's own history and PostgreSQL, an
 * older copy, has not (services/coordination/history.ts, store/recover-national.ts).
 */
export function* takeHistoryBack(world: World, own: Coordination, lead: Lead): Work {
  const { capital, scheduler, truth } = world;
  const { database } = capital.postgres;
  const who = `${own.machine.name} of the capital`;
  for (;;) {
    const committed = yield* asked(own.toPostgres, () => ({ last: database.state.log.length }), askWaitMs);
    if (committed === undefined) throw new Ends("PostgreSQL went away");
    const { last } = committed;
    const stream = () => capital.hub.streams.find(hubStream.national(1));
    const there = yield* asked(
      own.toHub,
      () => stream()?.read(Math.max(1, last), Number.MAX_SAFE_INTEGER) ?? [],
      askWaitMs,
    );
    if (there === undefined) continue;
    if (there.length > (last > 0 ? 1 : 0)) yield* mustRead(world, own, lead);
    let differs = false;
    for (const { sequence, data } of there) {
      if (yield* lead.write((tables) => takeBack(world, tables, sequence, data))) continue;
      differs = true;
      break;
    }
    if (!differs) break;
    truth.stops(who, "the histories differ");
    yield sleep(scheduler, personWaitMs);
  }
  truth.goesOn(who);
  for (const { name } of world.regions) yield* takeRegionBack(world, own, lead, name);
}

/** @returns false: it does not follow from what is there */
function takeBack(
  { scheduler, cores }: World,
  tables: CapitalTables,
  sequence: number,
  data: Uint8Array,
): boolean {
  const known = tables.log[sequence - 1];
  if (known !== undefined) return sameBytes(known.bytes, data);
  const changes = cores.recoveredChanges(decodeNational(data), data, {
    digest: tables.log.at(-1)?.digest ?? new Uint8Array(32),
    memories: tables.memories,
    batchOf: (directive) => tables.opinions.get(directive)?.batch,
    protectedNumbers: tables.protectedNumbers,
    stop: tables.single.stop,
    audienceOf: () => undefined,
  });
  if (changes === undefined) return false;
  scheduler.note("capital", `takes NATIONAL ${sequence} back`);
  return writeChanges(tables, changes) === undefined;
}

/** Before the first row is there whose opinions are not. */
function* mustRead({ capital, regions, truth }: World, own: Coordination, lead: Lead): Work {
  const read = () =>
    regions.flatMap(({ name: region }) =>
      lanes.flatMap((lane) =>
        Array.from({ length: epochsMax }, (_, index) => index + 1).map((epoch) => {
          const last = capital.hub.streams.find(hubStream.up(lane, region, epoch))?.last ?? 0;
          return [laneName({ region, lane, epoch }), last] as const;
        }),
      ),
    );
  const ends = yield* asked(own.toHub, read, askWaitMs);
  if (ends === undefined) throw new Ends("the hub does not answer");
  yield* lead.write(({ readTo }) => {
    for (const [lane, last] of ends) {
      if (last === 0) continue;
      readTo.set(lane, Math.max(readTo.get(lane) ?? 0, last));
      truth.mustRead(lane, last);
    }
  });
}

function* takeRegionBack({ capital }: World, own: Coordination, lead: Lead, region: string): Work {
  const stream = () => capital.hub.streams.find(hubStream.forRegion(region, 1));
  const there = yield* asked(own.toHub, () => stream()?.read(1, Number.MAX_SAFE_INTEGER) ?? [], askWaitMs);
  if (there === undefined) throw new Ends("the hub does not answer");
  yield* lead.write(({ regionLogs }) => {
    const log = regionLogs.get(region) ?? [];
    regionLogs.set(region, [...log, ...there.slice(log.length).map(({ data }) => data)]);
  });
}
