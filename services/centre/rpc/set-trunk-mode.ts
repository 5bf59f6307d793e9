import { parsePercent, parseTrunkMode } from "#domain/trunk.ts";
import type { Person } from "#domain/vocabulary.ts";
import type { SetTrunkModeRequest, Trunk } from "#proto/qalqan/centre/v1/centre.ts";
import { noEffects, type Centre } from "../centre.ts";
import { lock } from "../store/transaction.ts";
import { readStops, readTrunk, trunkView } from "../store/trunks.ts";
import { notFound } from "./not-found.ts";
import { requireCarrier } from "./people.ts";
import { requireOwner, setTrunk } from "./set-trunk.ts";

/**
 * Sets what is made of decisions on one of the acting carrier's trunks.
 * `percent` counts with `enforce`; 0 there means that no call is enforced.
 *
 * @throws InvalidInput for mode and percent; Refusal `forbidden`, `not-found`
 */
export async function setTrunkMode(
  centre: Centre,
  request: SetTrunkModeRequest,
  person: Person,
): Promise<Trunk> {
  const carrier = requireCarrier(person, centre.region);
  const mode = parseTrunkMode("mode", request.mode);
  const percent = mode === "enforce" ? parsePercent("percent", request.percent) : 0;
  return centre.accept(async (transaction) => {
    await lock(transaction, [`trunk:${request.trunk}`]);
    const known = await readTrunk(transaction, request.trunk);
    if (known === undefined) throw notFound("trunk", request.trunk);
    requireOwner(known, carrier);
    const stops = await readStops(transaction);
    if (known.mode === mode && known.percent === percent) {
      return noEffects(trunkView(known, stops));
    }
    const row = { ...known, revision: known.revision + 1, mode, percent };
    return setTrunk(transaction, row, stops, person, "trunk-mode-set");
  });
}
