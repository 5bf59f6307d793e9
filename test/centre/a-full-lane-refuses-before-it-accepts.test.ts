import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { streamRange } from "#platform/batch-get.ts";
import { firstEpoch, regionStream, regionSubject, streamAsk, type Lane } from "#proto/names.ts";
import { lastOf, until } from "#test/replication/servers.ts";
import { hasRoom, type LaneUsage, type Weight } from "../../services/centre/domain/room.ts";
import { analyst, carrier, CentreService, dayMs, operator, prosecutor } from "./centre-service.ts";

const mebibyte = 1024 * 1024;
const lanesMax = { events: 2 * mebibyte, urgent: mebibyte };

/** What a lane cannot carry is refused before anybody is told that it is accepted. */
describe("a centre whose lanes are nearly full", () => {
  let service: CentreService;
  beforeAll(async () => {
    service = await CentreService.start(lanesMax);
  });
  afterAll(() => service.stop());

  const used = async (lane: Lane) =>
    (await streamRange(service.line, streamAsk.info(regionStream.lane(lane, firstEpoch)))).bytes;

  /** As others' events that the capital has not taken yet. */
  async function fill(lane: Lane, share: number): Promise<void> {
    const subject = regionSubject.lane(lane, firstEpoch, "replication", "filling");
    const chunk = Buffer.alloc(16 * 1024, "x");
    while ((await used(lane)) < share * lanesMax[lane])
      await service.line.request(subject, chunk, { timeout: 20_000 });
  }

  /** As replication: what the capital has is removed. */
  async function empty(lane: Lane): Promise<void> {
    const stream = regionStream.lane(lane, firstEpoch);
    const seq = (await lastOf(service.line, stream)) + 1;
    await (await service.line.jetstreamManager({ checkAPI: false })).streams.purge(stream, { seq });
  }

  const refused = { code: "exhausted" };
  const numbers = (count: number, from: number) =>
    Array.from({ length: count }, (_, index) => `+1212${5_000_000 + from + index}`);
  const setStop = (stopped: boolean) => service.as(prosecutor, "setStop", { stopped });

  test("refuses an import while single directives and stops are taken", async () => {
    await fill("events", 0.82);
    await until(async () => (await service.alarmsSaid()).includes("lane-refuses events"));
    const piece = {
      ...{ kind: "number", fieldsJson: JSON.stringify({ number: "+442071000002" }), audience: "all" },
      ...{ tlp: "amber", confidence: 70, source: "operator", validUntilMs: Date.now() + dayMs },
      ...{ releasedWording: "", note: "", idempotencyKey: "" },
    };
    await expect(service.import(operator, numbers(3_000, 0))).rejects.toMatchObject(refused);
    await expect(service.as(analyst, "addIntelligence", piece)).rejects.toMatchObject(refused);
    // Nothing of either is there, and what was said of it is how to go on.
    expect(await service.database.selectFrom("batches").select("id").execute()).toEqual([]);
    expect(await service.database.selectFrom("directives").select("id").execute()).toEqual([]);
    expect(await service.database.selectFrom("intelligence").select("id").execute()).toEqual([]);
    await expect(service.import(operator, numbers(1, 0))).rejects.toMatchObject({
      remedy: expect.stringContaining("npx qalqan status") as string,
    });
    await service.issue(operator, { number: "+442071000001" });
    await setStop(true);
    await setStop(false);
  });

  test("takes imports again by itself once the capital has what was there", async () => {
    await empty("events");
    await until(async () => {
      const last = (await service.import(operator, numbers(3_000, 10_000))).at(-1);
      return last?.done === true;
    });
    await until(async () => (await service.lane("events")).length === 3);
    await until(async () => !(await service.alarmsSaid()).includes("lane-refuses events"));
  });

  test("keeps the last of the urgent lane for withdrawals and stops", async () => {
    const standing = await service.issue(operator, { number: "+442071000003" });
    await fill("urgent", 0.92);
    await until(async () => {
      await expect(service.issue(operator, { number: "+442071000004" })).rejects.toMatchObject(refused);
      return true;
    });
    await service.as(operator, "revokeDirective", { id: standing.id, reason: "mistake" });
    await setStop(true);
    await service.as(carrier, "setStop", { stopped: true });
    await service.settled();
    expect((await service.view(standing.id)).state).toBe("revoked");
    await empty("urgent");
    await until(async () => {
      await service.issue(operator, { number: "+442071000004" });
      return true;
    });
  });
});

test("whatever takes less of a lane's room is never refused where something heavier is taken", () => {
  const weights: readonly Weight[] = ["bulk", "single", "withdrawal"];
  const usage: fc.Arbitrary<LaneUsage> = fc.record({
    stored: fc.nat(1_000),
    storedMax: fc.integer({ min: 1, max: 1_000 }),
    waiting: fc.nat(1_000),
    waitingMax: fc.integer({ min: 1, max: 1_000 }),
  });
  fc.assert(
    fc.property(usage, fc.nat(100), (lane, bytes) => {
      const taken = weights.map((weight) => hasRoom(lane, weight, bytes));
      expect(taken).toEqual(taken.toSorted((left, right) => Number(left) - Number(right)));
      const isFull = lane.stored + lane.waiting + bytes > lane.storedMax;
      expect(isFull && taken.includes(true)).toBe(false);
    }),
  );
});
