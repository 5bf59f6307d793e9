import type { StopRow, TrunkRow, CentreTransaction, Reader } from "./schema.ts";
import type { RegionStop, TrunkSet } from "#proto/qalqan/events/v1/events.ts";
import type { Trunk } from "#proto/qalqan/centre/v1/centre.ts";

/** Which stop switches are on. */
export interface Stops {
  readonly region: boolean;
  readonly nation: boolean;
  readonly carriers: ReadonlySet<string>;
}

export async function readStops(database: Reader): Promise<Stops> {
  const [stops, national] = await Promise.all([
    database.selectFrom("stops").selectAll().where("stopped", "=", true).execute(),
    database.selectFrom("national_stop").select("stopped").executeTakeFirst(),
  ]);
  return {
    region: stops.some((stop) => stop.carrier === ""),
    nation: national?.stopped ?? false,
    carriers: new Set(stops.map((stop) => stop.carrier).filter((carrier) => carrier !== "")),
  };
}

export async function readTrunk(database: Reader, id: string): Promise<TrunkRow | undefined> {
  return database.selectFrom("trunks").selectAll().where("trunk", "=", id).executeTakeFirst();
}

/** Writes a trunk as it is from now on. */
export async function writeTrunk(transaction: CentreTransaction, row: TrunkRow): Promise<void> {
  await transaction
    .insertInto("trunks")
    .values(row)
    .onConflict((conflict) => conflict.column("trunk").doUpdateSet(row))
    .execute();
}

export function trunkView(row: TrunkRow, stops: Stops): Trunk {
  const { trunk, direction, operator, mode, percent, revision } = row;
  const stopped = stops.region || stops.nation || stops.carriers.has(operator);
  return { trunk, direction, operator, sbcAddress: row.sbc_address, mode, percent, revision, stopped };
}

export function trunkSetOf(row: TrunkRow): TrunkSet {
  const { trunk, revision, direction, operator, mode, percent } = row;
  return { trunk, revision, direction, operator, sbcAddress: row.sbc_address, mode, percent };
}

export function regionStopOf(row: StopRow): RegionStop {
  const { revision, stopped, person, carrier } = row;
  return { revision, stopped, person, carrier };
}
