import { InvalidInput } from "#domain/invalid-input.ts";
import { Refusal } from "#domain/refusal.ts";
import { parseTrunkDirection, parseTrunkId } from "#domain/trunk.ts";
import type { Person } from "#domain/vocabulary.ts";
import type { PutTrunkRequest, Trunk } from "#proto/qalqan/centre/v1/centre.ts";
import { noEffects, type Centre } from "../centre.ts";
import type { TrunkRow } from "../store/schema.ts";
import { lock } from "../store/transaction.ts";
import { readStops, readTrunk, trunkView } from "../store/trunks.ts";
import { requireCarrier } from "./people.ts";
import { requireOwner, setTrunk } from "./set-trunk.ts";

/**
 * Adds or changes a trunk of the acting carrier; a new one begins in shadow,
 * an existing one keeps its mode. The same again changes nothing.
 *
 * @throws InvalidInput for a field; Refusal `forbidden` for another carrier's trunk
 */
export async function putTrunk(centre: Centre, request: PutTrunkRequest, person: Person): Promise<Trunk> {
  const carrier = requireCarrier(person, centre.region);
  const trunk = parseTrunkId("trunk", request.trunk);
  const direction = parseTrunkDirection("direction", request.direction);
  const address = parseAddress(request.sbcAddress);
  if (request.operator !== "" && request.operator !== carrier) {
    throw new Refusal({
      code: "forbidden",
      field: "operator",
      value: request.operator,
      message: `a person of ${carrier} keeps the trunks of ${carrier} alone`,
      remedy: "leave the operator out, or log in as a person of that carrier",
    });
  }
  return centre.accept(async (transaction) => {
    await lock(transaction, [`trunk:${trunk}`]);
    const known = await readTrunk(transaction, trunk);
    if (known !== undefined) requireOwner(known, carrier);
    const stops = await readStops(transaction);
    const row: TrunkRow = {
      trunk,
      revision: (known?.revision ?? 0) + 1,
      direction,
      operator: carrier,
      sbc_address: address,
      mode: known?.mode ?? "shadow",
      percent: known?.percent ?? 0,
    };
    if (known !== undefined && known.direction === direction && known.sbc_address === address) {
      return noEffects(trunkView(known, stops));
    }
    return setTrunk(transaction, row, stops, person, "trunk-put");
  });
}

/** Host or host:port of a session border controller. */
function parseAddress(text: string): string {
  if (/^[A-Za-z0-9.\-[\]:]{1,255}$/u.test(text)) return text;
  throw new InvalidInput({
    code: "invalid-address",
    field: "sbc_address",
    value: text,
    message: "is not a network address",
    remedy: "Give a host, or host:port, of the session border controller.",
  });
}
