import { afterAll, beforeAll, expect, test } from "vitest";
import { firstEpoch, regionStream, regionSubject } from "#proto/names.ts";
import { Intelligence, NationalBatch, type NationalRow } from "#proto/qalqan/events/v1/events.ts";
import type { DecisionAt } from "#proto/qalqan/events/v1/snapshot.ts";
import { appendPatiently, until } from "#test/replication/servers.ts";
import { storeSnapshot } from "#test/replication/stored-snapshot.ts";
import { CentreService, dayMs, operator, region } from "./centre-service.ts";

let service: CentreService;
beforeAll(async () => {
  service = await CentreService.start();
});
afterAll(() => service.stop());

const piece = (id: string) =>
  Intelligence.fromPartial({
    ...{ id, revision: 1, kind: "number", fieldsJson: '{"number":"+442079460001"}', audience: "all" },
    ...{ tlp: "amber", source: "operator", createdAtMs: 1, validUntilMs: Date.now() + dayMs },
  });
const protectedNumber = (number: string): NationalRow => ({
  row: { $case: "protectedNumber", value: { number, originatesFrom: ["a"], holder: "bank", revision: 1 } },
});
const decided = (directive: string, sequence: number, change: Partial<DecisionAt["decision"]> = {}) => ({
  decision: { region, directive, revision: 1, decision: "accepted", reason: "", missing: [], ...change },
  sequence,
  atMs: Date.now(),
});

async function moveCopy(sequence: number): Promise<void> {
  const manager = await service.line.jetstreamManager({ checkAPI: false });
  await manager.streams.purge(regionStream.national(firstEpoch), { seq: sequence + 1 });
}

test("a centre that runs while its copy jumps ahead takes decisions, numbers, stop and intelligence from the snapshot", async () => {
  const kept = await service.issue(operator, { number: "+442079460101" });
  const refused = await service.issue(operator, { number: "+442079460102" });
  const gone = "almaty-01GONE00000000000000000001";
  const shared = "almaty-01KEPT00000000000000000001";
  await service.national({
    rows: [protectedNumber("+77272000001")],
    intelligence: [{ intelligence: piece(gone) }],
    decisions: [
      { region: "almaty", directive: "almaty-1", revision: 1, decision: "held", missing: ["carrier"] },
    ],
  });
  await until(
    async () => (await service.database.selectFrom("foreign_held").selectAll().execute()).length > 0,
  );

  await storeSnapshot(service.line, {
    sequence: 9,
    rows: [
      protectedNumber("+77272000002"),
      { row: { $case: "stop", value: { stopped: true, person: "p", atMs: 5, revision: 7 } } },
    ],
    decisions: [
      decided("almaty-2", 8, { region: "almaty", decision: "held", missing: ["second-region"] }),
      decided(kept.id, 5),
      decided(refused.id, 6, { decision: "rejected", reason: "conflict" }),
    ],
    intelligence: [piece(shared)],
  });
  await moveCopy(9);

  await until(async () => (await service.view(kept.id)).state === "national");
  expect(await service.view(kept.id)).toMatchObject({ nationalRevision: 5 });
  expect(await service.view(refused.id)).toMatchObject({ state: "rejected", stateReason: "conflict" });
  const { database } = service;
  const numbers = await database.selectFrom("protected_numbers").select("number").execute();
  expect(numbers).toEqual([{ number: "+77272000002" }]);
  expect(await database.selectFrom("national_stop").select("stopped").execute()).toEqual([{ stopped: true }]);
  const held = await database.selectFrom("foreign_held").select("directive").execute();
  expect(held).toEqual([{ directive: "almaty-2" }]);
  const pieces = await database.selectFrom("intelligence").select(["id", "withdrawn"]).execute();
  expect(Object.fromEntries(pieces.map(({ id, withdrawn }) => [id, withdrawn]))).toEqual({
    [gone]: true,
    [shared]: false,
  });
  const marks = await database.selectFrom("national_marks").select("sequence").orderBy("sequence").execute();
  expect(marks.map(({ sequence }) => sequence)).toEqual([5, 6]);

  const next = NationalBatch.fromPartial({ sequence: 10, atMs: 10, rows: [protectedNumber("+77272000003")] });
  await appendPatiently(
    service.line,
    regionSubject.national(firstEpoch),
    10,
    NationalBatch.encode(next).finish(),
  );
  await until(
    async () => (await database.selectFrom("protected_numbers").selectAll().execute()).length === 2,
  );
});
