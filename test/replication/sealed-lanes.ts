import { leafHash } from "#domain/merkle.ts";
import { chainStart, endOfChain, judgeSeal, sealCovers, SealKeys, type Seal } from "#domain/seal.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { regionStream, type Lane } from "#proto/names.ts";
import { Event } from "#proto/qalqan/events/v1/events.ts";
import { readAll, type HubAndRegion } from "./servers.ts";

/** What a lane of the region holds, verified as a stranger would do it. */
export interface SealedLane {
  readonly seals: readonly Seal[];
  /** Last message of the lane, and the last that is sealed. */
  readonly last: number;
  readonly sealed: number;
  /** Bodies by name that no seal covers. */
  readonly unsealed: readonly string[];
}

/** @throws Error where a seal of the lane is not a link of the one chain over all messages */
export async function verifyLane(
  connection: NatsConnection,
  nation: Pick<HubAndRegion, "region" | "signingKey">,
  lane: Lane,
  epoch: number,
): Promise<SealedLane> {
  const keys = new SealKeys({ [nation.region]: [nation.signingKey] });
  const of = { stream: lane, site: nation.region, epoch };
  const messages = await readAll(connection, regionStream.lane(lane, epoch));
  const leaves = messages.map(({ data }) => leafHash(data));
  const seals: Seal[] = [];
  let end = chainStart;
  for (const { sequence, data } of messages) {
    const { body } = Event.decode(data);
    if (body?.$case !== "seal") continue;
    const seal = body.value;
    const fault = judgeSeal(seal, of, end, keys);
    const covered = sealCovers(seal, leaves.slice(seal.first - 1, seal.last));
    if (fault !== undefined || !covered || seal.last >= sequence)
      throw new Error(`the seal at ${sequence} of ${lane}: ${fault ?? "covers something else"}`);
    seals.push(seal);
    end = endOfChain(seal);
  }
  const unsealed = messages.slice(end.last).map(({ data }) => Event.decode(data).body?.$case ?? "none");
  return { seals, last: messages.length, sealed: end.last, unsealed };
}
