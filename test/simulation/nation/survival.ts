import { hubStream, lanes, regionStream } from "#proto/names.ts";
import type { Event } from "#proto/qalqan/events/v1/events.ts";
import type { Stream } from "../engine/store.ts";
import { decodeEvent } from "./decoded.ts";
import { epochsMax } from "./epochs.ts";
import type { CentreTables } from "./tables.ts";
import type { Acknowledged } from "./truth.ts";
import type { Region, World } from "./world.ts";

/**
 * After a backup was restored: what no place holds any more was lost with every
 * copy of it, and is not promised. What one place still holds must be
 * everywhere in the end.
 */
export function excuseWhatIsGone(world: World, region: Region, before?: CentreTables): number {
  const { truth } = world;
  const events = [...laneStreams(world, region)].flatMap((stream) =>
    stream.read(stream.first, Number.MAX_SAFE_INTEGER).map(({ data }) => decodeEvent(data)),
  );
  const isGone = (each: Acknowledged) =>
    !isInTables(region.postgres.database.state, each) && !isInEvents(events, each);
  if (before !== undefined && worksIn(region.name, before).some((each) => isGone(each)))
    truth.lostWork.add(region.name);
  let gone = 0;
  for (const each of truth.acknowledged) {
    if (each.region !== region.name || truth.excused.has(each)) continue;
    if (!isGone(each)) continue;
    truth.excused.add(each);
    gone += 1;
  }
  return gone;
}

/** Everything that a database held, told to somebody or not. */
function worksIn(region: string, tables: CentreTables): Acknowledged[] {
  return [
    ...[...tables.directives.values()].map(({ opinion: { id, revision } }): Acknowledged => {
      return { region, wish: { kind: "revoke", id }, revision };
    }),
    ...[...tables.trunks.values()].map(({ trunk, revision, percent }): Acknowledged => {
      return { region, wish: { kind: "set-trunk", id: trunk, percent }, revision };
    }),
    ...[...tables.stops.values()].map(({ carrier, revision, stopped }): Acknowledged => {
      return { region, wish: { kind: "stop", id: carrier, stopped }, revision };
    }),
  ];
}

function* laneStreams({ capital }: World, region: Region): Generator<Stream> {
  for (const lane of lanes) {
    for (let epoch = 1; epoch <= epochsMax; epoch += 1) {
      const here = region.store.streams.find(regionStream.lane(lane, epoch));
      const there = capital.hub.streams.find(hubStream.up(lane, region.name, epoch));
      if (here !== undefined) yield here;
      if (there !== undefined) yield there;
    }
  }
}

function isInTables(tables: CentreTables, { region, wish, revision }: Acknowledged): boolean {
  const has = (id: string, least: number) => {
    const known = tables.directives.get(id)?.opinion;
    return known !== undefined && (known.revision >= least || known.revoked);
  };
  switch (wish.kind) {
    case "issue":
    case "extend":
    case "revoke":
      return has(wish.id, revision);
    case "import":
      return wish.members.every(({ id }) => has(id, 1));
    case "approve":
    case "approve-foreign":
    case "approve-batch":
      return tables.approvals.some(
        (each) => (each.directive === wish.id || each.batch === wish.id) && each.region === region,
      );
    case "revoke-batch":
      return (tables.batches.get(wish.id)?.revokedAtMs ?? 0) > 0;
    case "set-trunk":
      return (tables.trunks.get(wish.id)?.revision ?? 0) >= revision;
    case "stop":
      return (tables.stops.get(wish.id)?.revision ?? 0) >= revision;
    default:
      return wish satisfies never;
  }
}

function isInEvents(events: readonly Event[], { region, wish, revision }: Acknowledged): boolean {
  const directives = () =>
    events.flatMap(({ body }) => (body?.$case === "directives" ? body.value.directives : []));
  const some = (is: (body: NonNullable<Event["body"]>) => boolean) =>
    events.some(({ body }) => body !== undefined && is(body));
  switch (wish.kind) {
    case "issue":
    case "extend":
    case "revoke":
      return directives().some((each) => each.id === wish.id && (each.revision >= revision || each.revoked));
    case "import":
      return wish.members.every(({ id }) => directives().some((each) => each.id === id));
    case "approve":
    case "approve-foreign":
    case "approve-batch":
      return some(
        (body) =>
          body.$case === "approval" &&
          (body.value.directive === wish.id || body.value.batch === wish.id) &&
          body.value.region === region,
      );
    case "revoke-batch":
      return some((body) => body.$case === "batchRevocation" && body.value.batch === wish.id);
    case "set-trunk":
      return some(
        (body) =>
          body.$case === "trunkSet" && body.value.trunk === wish.id && body.value.revision >= revision,
      );
    case "stop":
      return some(
        (body) =>
          body.$case === "regionStop" && body.value.carrier === wish.id && body.value.revision >= revision,
      );
    default:
      return wish satisfies never;
  }
}
