import type { Person } from "#domain/vocabulary.ts";
import type { ListTrunksResponse } from "#proto/qalqan/centre/v1/centre.ts";
import type { Centre } from "../centre.ts";
import { readStops, trunkView } from "../store/trunks.ts";
import { readers, requireHere } from "./people.ts";

/** The region's trunks with their modes, and which stop switches are on. */
export async function listTrunks(centre: Centre, person: Person): Promise<ListTrunksResponse> {
  requireHere(person, centre.region, readers);
  const [rows, stops] = await Promise.all([
    centre.database.selectFrom("trunks").selectAll().orderBy("trunk").execute(),
    readStops(centre.database),
  ]);
  return {
    trunks: rows.map((row) => trunkView(row, stops)),
    regionStopped: stops.region,
    nationStopped: stops.nation,
  };
}
