import { afterAll, beforeAll, expect, test } from "vitest";
import { call, read } from "#platform/grpc-client.ts";
import { NationalHeartbeat } from "#proto/qalqan/events/v1/events.ts";
import { hubSubject } from "#proto/names.ts";
import { CapitalUnderTest, until } from "./capital-under-test.ts";
import { approvalOf, directiveOf, directives, idOf, memberOf, revokedOf } from "./directives.ts";

let capital: CapitalUnderTest;
beforeAll(async () => {
  capital = await CapitalUnderTest.start(["astana", "almaty", "mangystau"]);
});
afterAll(async () => {
  await capital.stop();
});

const rowsOf = async (directive: string) =>
  (await capital.enforcements("astana")).filter((row) => row.directive === directive);

/** State of each region by the rows of the last one that was told. */
async function statesOf(directive: string) {
  return Object.fromEntries((await rowsOf(directive)).map(({ region, state }) => [region, state]));
}

test("every region is told at once who belongs to the nation", async () => {
  for (const region of ["astana", "almaty", "mangystau"]) {
    await until(async () => (await capital.nation(region)).length > 0);
    expect(await capital.nation(region)).toEqual(["almaty", "astana", "mangystau"]);
  }
});

test("the author's region is told of every region, and since when each enforces", async () => {
  await capital.sendReceipt("almaty");
  const opinion = directiveOf("astana", 1);
  await capital.send("astana", "urgent", directives(opinion));
  await until(async () => (await rowsOf(opinion.id)).length >= 3);
  // The first message about a decision has a row for each region; Mangystau was never heard of.
  expect(await statesOf(opinion.id)).toEqual({ astana: "waiting", almaty: "waiting", mangystau: "cut-off" });

  const atMs = Date.now();
  await capital.sendReceipt("almaty", { atMs });
  await capital.sendReceipt("astana", { atMs: atMs + 7 });
  await until(async () => (await statesOf(opinion.id))["astana"] === "enforced");
  await until(async () => (await statesOf(opinion.id))["almaty"] === "enforced");
  const enforced = (await rowsOf(opinion.id)).filter(({ state }) => state === "enforced");
  expect(Object.fromEntries(enforced.map((row) => [row.region, row.enforcedAtMs]))).toEqual({
    almaty: atMs,
    astana: atMs + 7,
  });
  expect(enforced.every((row) => row.revision === 1 && row.nationalSequence === 1)).toBe(true);
  // Nobody else is told.
  expect(await capital.enforcements("almaty")).toEqual([]);
});

test("the capital's own view has the same receipts, and is settled when all that are heard enforce", async () => {
  const { client } = capital;
  const metadata = await capital.token("central-prosecutor");
  const view = await call(client.getDirective.bind(client), { id: idOf("astana", 1) }, { metadata });
  expect(view).toMatchObject({ state: "national", settled: true });
  expect(view.receipts.map(({ region, state }) => [region, state])).toEqual([
    ["almaty", "enforced"],
    ["astana", "enforced"],
    ["mangystau", "cut-off"],
  ]);
});

test("what was told is not told again after a restart, and what was not told then is", async () => {
  const before = (await capital.enforcements("astana")).length;
  await capital.coordination.killAndRestart();
  await capital.ready();
  const opinion = directiveOf("astana", 2);
  await capital.send("astana", "urgent", directives(opinion));
  await until(async () => (await rowsOf(opinion.id)).length > 0);
  await capital.coordination.killAndRestart();
  await capital.sendReceipt("almaty");
  await until(async () => (await statesOf(opinion.id))["almaty"] === "enforced");
  const first = (await capital.enforcements("astana")).slice(0, before);
  expect(first.every(({ directive }) => directive === idOf("astana", 1))).toBe(true);
  expect((await rowsOf(idOf("astana", 1))).length).toBe(before);
});

test("a region that comes back is told of as enforcing all that it missed", async () => {
  await capital.sendReceipt("mangystau");
  const states = async () => {
    const told = await Promise.all([1, 2].map((index) => statesOf(idOf("astana", index))));
    return told.map((each) => each["mangystau"]);
  };
  await until(async () => !(await states()).includes("cut-off"));
  expect(await states()).toEqual(["enforced", "enforced"]);
});

test("the members of a batch are told of once a region, under the batch and its last member", async () => {
  const batch = idOf("almaty", 500);
  const members = Array.from({ length: 1_500 }, (_, index) => memberOf("almaty", batch, 1_000 + index));
  await capital.send(
    "almaty",
    "events",
    directives(...members.slice(0, 1_000)),
    directives(...members.slice(1_000)),
  );
  await capital.send("almaty", "events", { $case: "approval", value: approvalOf("almaty", { batch }) });
  await until(
    async () => (await capital.query("select from decision where region = 'almaty'")).length === 1_500,
  );
  await until(async () => (await capital.query("select from refold_job")).length === 0);
  await capital.sendReceipt("astana");
  const enforced = async () =>
    (await capital.enforcements("almaty")).filter(
      ({ region, state }) => region === "astana" && state === "enforced",
    );
  await until(async () => (await enforced()).length >= 2);
  const told = [...new Set((await capital.enforcements("almaty")).map(({ directive }) => directive))];
  expect(told).toContain(batch);
  expect(told).toContain(members.at(-1)?.id);
  expect(told.length).toBeLessThan(6);
});

test("the state of a region: in sync, behind, diverged", async () => {
  const { client } = capital;
  const metadata = await capital.token("operator", "astana");
  const heartbeats: NationalHeartbeat[] = [];
  const subscription = capital.nats.subscribe(hubSubject.heartbeat);
  void (async () => {
    for await (const { data } of subscription) heartbeats.push(NationalHeartbeat.decode(data));
  })();
  // A seal may follow what was read, so both are read until one heartbeat speaks of the last message.
  const told = async () => {
    const { batches } = await capital.national();
    const digest = heartbeats.find(({ sequence }) => sequence === batches.length)?.digest;
    return digest === undefined ? undefined : { digest, expected: batches.at(-1)?.digestAfter ?? [] };
  };
  await until(async () => (await told()) !== undefined);
  const { digest = Buffer.alloc(0), expected = [] } = (await told()) ?? {};
  expect(Buffer.from(digest)).toEqual(Buffer.from(expected));
  await capital.sendReceipt("astana");
  await capital.sendReceipt("almaty", { sequence: 1 });
  await capital.sendReceipt("mangystau", { digest: new Uint8Array(32) });
  const states = async () => {
    const status = await call(client.getStatus.bind(client), {}, { metadata });
    return Object.fromEntries(status.regions.map(({ region, state }) => [region, state]));
  };
  await until(async () => {
    // A seal that comes meanwhile leaves a region behind until its next receipt.
    await capital.sendReceipt("astana");
    const now = await states();
    return now["astana"] === "in-sync" && now["mangystau"] === "diverged";
  });
});

test("WatchStatus tells a change within a second", async () => {
  const { client } = capital;
  const metadata = await capital.token("operator", "astana");
  const changes = read(client.watchStatus({}, metadata));
  const first = await changes.next();
  const sequence = first.done === true ? 0 : first.value.sequence;
  const opinion = directiveOf("astana", 70);
  await capital.send("astana", "urgent", directives(opinion), directives(revokedOf(opinion)));
  let seen = sequence;
  for await (const status of changes) {
    seen = status.sequence;
    if (seen > sequence) break;
  }
  expect(seen).toBeGreaterThan(sequence);
});

test("a region that is added to the nation's file is followed without a restart", async () => {
  capital.writeRegions(["astana", "almaty", "mangystau", "west-kazakhstan"]);
  const opinion = directiveOf("west-kazakhstan", 90);
  await until(async () => {
    await capital.send("west-kazakhstan", "urgent", directives(opinion));
    return true;
  });
  await until(async () => (await capital.national()).table.entriesOf(opinion.target).measure !== undefined);
  expect((await capital.national()).table.entriesOf(opinion.target).measure?.directive).toBe(opinion.id);
  // The others learn of it, and are not told again of those that they know; nor are they after restarts.
  const nation = ["almaty", "astana", "mangystau", "west-kazakhstan"];
  for (const region of ["west-kazakhstan", "astana"])
    await until(async () => (await capital.nation(region)).length >= nation.length);
  expect(await capital.nation("west-kazakhstan")).toEqual(nation);
  expect(await capital.nation("astana")).toEqual(nation);
});
