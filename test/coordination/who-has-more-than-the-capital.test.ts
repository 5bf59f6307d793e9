import { generateKeyPairSync } from "node:crypto";
import { expect, test } from "vitest";
import { keyThumbprint, nextSeal, SealingKey, SealKeys, type Seal } from "#domain/seal.ts";
import { sealMessage } from "#platform/seal-message.ts";
import { firstEpoch } from "#proto/names.ts";
import { StreamReport } from "#proto/qalqan/events/v1/sync.ts";
import { CapitalState } from "../../services/coordination/domain/capital-state.ts";
import { furtherThan } from "../../services/coordination/domain/older-history.ts";
import { assertNotOlderNow } from "../../services/coordination/regions-heard.ts";

function makeKey() {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const { x = "" } = publicKey.export({ format: "jwk" });
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  return { sealing: new SealingKey(pem), published: { kid: keyThumbprint(x), x } };
}

const former = makeKey();
const current = makeKey();
const keys = new SealKeys({ capital: [former.published, current.published] });
const chain = { epoch: firstEpoch, keys, keyId: current.sealing.keyId };

/** A seal over one message of NATIONAL. */
function sealOver(last: number, { sealing } = current): Seal {
  const of = { stream: "national", site: "capital", epoch: firstEpoch };
  const end = { last: last - 1, hash: Buffer.alloc(32, 7), keyId: sealing.keyId };
  return nextSeal(of, end, [Buffer.alloc(32, 1)], sealing, 1_000);
}

const says = (region: string, last: number, seal?: Seal) => ({ region, last, seal });

test("who proves that the capital is older is named, with the last message that he has or shows", () => {
  const behind = [says("astana", 990), says("almaty", 990)];
  const shown = furtherThan([...behind, says("shymkent", 994, sealOver(1_000))], 3, 995, chain);
  expect(shown).toEqual({ regions: ["shymkent"], last: 1_000 });
  const had = furtherThan([...behind, says("shymkent", 1_003, sealOver(1_000))], 3, 995, chain);
  expect(had).toEqual({ regions: ["shymkent"], last: 1_003 });
  // What one alone says beside it counts for nothing.
  const beside = [says("almaty", 2 ** 40), says("shymkent", 1_000, sealOver(1_000))];
  expect(furtherThan(beside, 4, 995, chain)).toEqual({ regions: ["shymkent"], last: 1_000 });
  const most = [says("shymkent", 1_001), says("astana", 990), says("almaty", 1_002)];
  expect(furtherThan(most, 3, 995, chain)).toEqual({ regions: ["almaty", "shymkent"], last: 1_002 });
});

test("a key that the capital gave up before its newest seal proves no later message", () => {
  const told = (seal: Seal, keyId: string) =>
    furtherThan([says("astana", 1_000, seal)], 3, 995, { ...chain, keyId })?.regions;
  expect(told(sealOver(1_000, former), current.sealing.keyId)).toBeUndefined();
  expect(told(sealOver(1_000), current.sealing.keyId)).toEqual(["astana"]);
  // A capital that came back from before the change has not given it up.
  for (const keyId of [former.sealing.keyId, ""])
    for (const key of [former, current]) expect(told(sealOver(1_000, key), keyId)).toEqual(["astana"]);
});

test("a capital that leads says who has more and both ways out, and counts nothing of a region whose key is revoked", () => {
  const state = new CapitalState();
  state.sequence = 995;
  const held = { stream: "NATIONAL", epoch: firstEpoch, first: 1, last: 1_000 };
  const region = state.region("astana", 0);
  region.reported(firstEpoch, [StreamReport.fromPartial(held)], sealMessage(sealOver(1_000)));
  state.region("almaty", 0);
  const look = () => assertNotOlderNow(state, chain);
  expect(look).toThrow("astana has NATIONAL up to message 1000, PostgreSQL and the hub end at 995");
  const remedy: unknown = expect.stringMatching(
    /if most regions .*`npx qalqan rebuild capital`.* otherwise.*`npx qalqan rebuild region astana`$/u,
  );
  expect(look).toThrow(expect.objectContaining({ remedy }));
  region.keyChanges = [{ atMs: 1, change: "revoked" }];
  expect(look).not.toThrow();
  region.keyChanges = [...region.keyChanges, { atMs: 2, change: "renewed" }];
  expect(look).toThrow("astana");
});
