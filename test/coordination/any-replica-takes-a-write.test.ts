import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { call, RemoteError } from "#platform/grpc-client.ts";
import type { CoordinationClient } from "#proto/qalqan/coordination/v1/coordination.ts";
import type { Restartable } from "#test/replication/servers.ts";
import { CapitalUnderTest, until } from "./capital-under-test.ts";

let capital: CapitalUnderTest;
let first: { process: Restartable; client: CoordinationClient };
let second: { process: Restartable; client: CoordinationClient; http: string };
let metadata: Awaited<ReturnType<CapitalUnderTest["token"]>>;
beforeAll(async () => {
  capital = await CapitalUnderTest.start(["astana"]);
  first = { process: capital.coordination, client: capital.client };
  second = await capital.secondReplica();
  metadata = await capital.token("central-prosecutor");
  await until(async () => !(await leads(second.client)));
});
afterAll(async () => {
  await capital.stop();
});

const leads = async (client: CoordinationClient) =>
  (await call(client.getStatus.bind(client), {}, { metadata })).leader;

const request = (number: string) => ({ number, originatesFrom: ["dom-1"], holder: "Sample bank" });

const protect = async (client: CoordinationClient, number: string, deadlineMs = 10_000) =>
  call(client.addProtectedNumber.bind(client), request(number), { metadata, deadlineMs });

/** What a client does that meets no leader: the same again, at once, at the other replica too. */
async function protectAtLast(clients: readonly CoordinationClient[], number: string): Promise<void> {
  const endMs = Date.now() + 30_000;
  for (let attempt = 0; ; attempt += 1) {
    const client = clients[attempt % clients.length];
    if (client === undefined) throw new Error("there is nobody to ask");
    try {
      await protect(client, number, 2_000);
      return;
    } catch (error) {
      if (!(error instanceof RemoteError) || !error.isOutage || Date.now() > endMs) throw error;
      await sleep(50);
    }
  }
}

async function protectedNumbers(): Promise<string[]> {
  const rows = await capital.query<{ number: string }>("select number from protected_number");
  return rows.map(({ number }) => number);
}

test("a command that meets a replica which does not lead takes effect, and is answered as the leader answers", async () => {
  const added = await protect(second.client, "+442070000001");
  expect(added).toMatchObject({ ...request("+442070000001"), nationalRevision: 1 });
  expect((await protect(first.client, "+442070000001")).nationalRevision).toBe(1);
  await call(second.client.setNationalStop.bind(second.client), { stopped: true }, { metadata });
  await until(async () => (await capital.national()).table.stopped);
  await call(second.client.setNationalStop.bind(second.client), { stopped: false }, { metadata });
  await call(
    second.client.removeProtectedNumber.bind(second.client),
    { number: "+442070000001" },
    { metadata },
  );
  expect(await protectedNumbers()).toEqual([]);
  const lines = await capital.query<{ actor: string }>("select distinct actor from audit");
  expect(lines).toEqual([{ actor: "central-prosecutor.capital" }]);
});

test("what the leader says instead comes back unchanged", async () => {
  const stranger = await capital.token("operator", "astana");
  const asked = [
    { request: request("12 letters"), metadata },
    { request: request("+77011234567"), metadata },
    { request: request("+442070000002"), metadata: stranger },
    { request: request("+442070000002") },
  ];
  for (const { request: of, metadata: by } of asked) {
    const answerOf = async ({ client }: { client: CoordinationClient }) =>
      call(client.addProtectedNumber.bind(client), of, by === undefined ? {} : { metadata: by }).catch(
        (error: unknown) => error,
      );
    const [direct, through] = [await answerOf(first), await answerOf(second)];
    expect(direct).toBeInstanceOf(RemoteError);
    expect(through).toEqual(direct);
  }
  const unknown = call(
    second.client.removeProtectedNumber.bind(second.client),
    { number: "+442070000003" },
    { metadata },
  );
  await expect(unknown).rejects.toMatchObject({ code: "not-found", value: "+442070000003" });
});

test("a call is handed on once: one that was handed on to a replica which does not lead is not carried out", async () => {
  const handedOn = metadata.clone();
  handedOn.set("qalqan-handed-on", "1");
  const { client } = second;
  await expect(
    call(client.addProtectedNumber.bind(client), request("+442070000004"), { metadata: handedOn }),
  ).rejects.toMatchObject({ code: "unavailable" });
});

test("a leader that stands still holds nobody longer than the caller's own deadline", async () => {
  process.kill(first.process.pid, "SIGSTOP");
  try {
    const beganMs = Date.now();
    // Whoever is first says so, the caller's own clock or the replica that he asked.
    await expect(protect(second.client, "+442070000005", 1_000)).rejects.toSatisfy(
      (error) => error instanceof RemoteError && error.isOutage,
    );
    expect(Date.now() - beganMs).toBeLessThan(5_000);
  } finally {
    process.kill(first.process.pid, "SIGCONT");
  }
  await protect(second.client, "+442070000005");
  expect(await protectedNumbers()).toContain("+442070000005");
});

test("the leader is killed: until another one leads the answer is unavailable, then the command works at each", async () => {
  await first.process.stop("SIGKILL");
  await expect(protect(second.client, "+442070000006", 5_000)).rejects.toMatchObject({ code: "unavailable" });
  await until(async () => leads(second.client));
  await protect(second.client, "+442070000006");
  first.process.start();
  await until(async () => !(await leads(first.client)));
  await protect(first.client, "+442070000007");
  expect(await protectedNumbers()).toEqual(expect.arrayContaining(["+442070000006", "+442070000007"]));
});

test("a command that was given before the leader is told to stop is still carried out by it, and answered", async () => {
  const leader = (await leads(second.client)) ? second : first;
  const locks = async (of: string) => (await capital.query(`select from pg_locks where ${of}`)).length;
  const slow = capital.query("lock table protected_number in exclusive mode; select pg_sleep(4)");
  await until(async () => (await locks("mode = 'ExclusiveLock' and locktype = 'relation'")) > 0);
  const added = protect(leader.client, "+442070000008");
  await until(async () => (await locks("not granted")) > 0);
  const exit = leader.process.stop("SIGTERM");
  expect((await added).number).toBe("+442070000008");
  await slow;
  expect(await exit).toBe(0);
  leader.process.start();
  await until(async () => (await leads(first.client)) !== (await leads(second.client)));
});

test("the leader is stopped in order under commands: each that was answered holds, and none fails at both for long", async () => {
  const clients = [first.client, second.client];
  const numbers = Array.from({ length: 60 }, (_, index) => `+4420800${String(index).padStart(5, "0")}`);
  const [leader] = (await leads(second.client)) ? [second.process] : [first.process];
  const stopped = sleep(300).then(() => leader.stop("SIGTERM"));
  await Promise.all(
    numbers.map(async (number, index) => {
      await sleep(index * 15);
      await protectAtLast(index % 2 === 0 ? clients : clients.toReversed(), number);
    }),
  );
  expect(await stopped).toBe(0);
  expect(await protectedNumbers()).toEqual(expect.arrayContaining(numbers));
});
