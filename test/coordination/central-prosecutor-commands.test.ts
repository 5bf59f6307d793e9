import { afterAll, beforeAll, expect, test } from "vitest";
import { call, read } from "#platform/grpc-client.ts";
import { CapitalUnderTest, until } from "./capital-under-test.ts";
import { directiveOf, directives } from "./directives.ts";

let capital: CapitalUnderTest;
beforeAll(async () => {
  capital = await CapitalUnderTest.start(["astana", "almaty"]);
});
afterAll(async () => {
  await capital.stop();
});

const bank = "+44207000000";
const request = { number: bank, originatesFrom: ["dom-1"], holder: "Sample bank" };

test("a protected number is a row of the national table, and opinions against it stop counting", async () => {
  const { client } = capital;
  const metadata = await capital.token("central-prosecutor");
  const before = directiveOf("astana", 1, { target: bank });
  await capital.send("astana", "urgent", directives(before));
  await until(async () => (await capital.national()).table.entriesOf(bank).measure !== undefined);

  const added = await call(client.addProtectedNumber.bind(client), request, { metadata });
  const { nationalRevision } = added;
  expect(added).toMatchObject({ number: bank, originatesFrom: ["dom-1"], holder: "Sample bank" });
  expect(nationalRevision).toBeGreaterThan(1);
  await until(async () => (await capital.national()).table.entriesOf(bank).measure === undefined);
  const { batches, table } = await capital.national();
  expect(table.protectedNumber(bank)).toMatchObject({
    originatesFrom: ["dom-1"],
    revision: nationalRevision,
  });
  // A seal may have come after it.
  expect(batches.findLast(({ decisions }) => decisions.length > 0)?.decisions).toMatchObject([
    { directive: before.id, decision: "rejected", reason: "protected" },
  ]);

  const again = await call(client.addProtectedNumber.bind(client), request, { metadata });
  expect(again.nationalRevision).toBe(nationalRevision);
  const { numbers } = await call(
    client.listProtectedNumbers.bind(client),
    {},
    { metadata: await capital.token("operator", "astana") },
  );
  expect(numbers).toMatchObject([{ number: bank, nationalRevision }]);

  await call(client.removeProtectedNumber.bind(client), { number: bank }, { metadata });
  await until(async () => (await capital.national()).table.entriesOf(bank).measure !== undefined);
  await expect(
    call(client.removeProtectedNumber.bind(client), { number: bank }, { metadata }),
  ).rejects.toMatchObject({ code: "not-found" });
});

test("a protected number originates from single trunks, or it would be a passport on all international ones", async () => {
  const { client } = capital;
  const metadata = await capital.token("central-prosecutor");
  const everywhere = { ...request, originatesFrom: ["dom-1", "international"] };
  await expect(call(client.addProtectedNumber.bind(client), everywhere, { metadata })).rejects.toMatchObject({
    code: "invalid-trunk",
    field: "originates_from",
  });
});

test.each([
  ["a citizen's mobile number", { ...request, number: "+77011234567" }, "number"],
  ["a number that would originate nowhere", { ...request, originatesFrom: [] }, "originates_from"],
])("nobody cuts off citizens by protecting %s", async (_what, asked, field) => {
  const metadata = await capital.token("central-prosecutor");
  const { client } = capital;
  await expect(call(client.addProtectedNumber.bind(client), asked, { metadata })).rejects.toMatchObject({
    field,
  });
});

test("the national stop is a row of the national table", async () => {
  const { client } = capital;
  const metadata = await capital.token("central-prosecutor");
  await call(client.setNationalStop.bind(client), { stopped: true }, { metadata });
  await until(async () => (await capital.national()).table.stopped);
  expect((await call(client.getStatus.bind(client), {}, { metadata })).stopped).toBe(true);
  await call(client.setNationalStop.bind(client), { stopped: false }, { metadata });
  await until(async () => !(await capital.national()).table.stopped);
});

test("only a central prosecutor may do it, and every order is in the audit", async () => {
  const { client } = capital;
  const regional = await capital.token("regional-prosecutor", "astana");
  const engineer = await capital.token("platform-engineer");
  for (const metadata of [regional, engineer]) {
    await expect(
      call(client.setNationalStop.bind(client), { stopped: true }, { metadata }),
    ).rejects.toMatchObject({ code: "forbidden" });
    await expect(call(client.addProtectedNumber.bind(client), request, { metadata })).rejects.toMatchObject({
      code: "forbidden",
    });
  }
  await expect(call(client.getStatus.bind(client), {})).rejects.toMatchObject({ code: "unauthenticated" });
  // Who asked without a token is named as well, some time after the answer.
  const lines = await capital.query<{ what: string; actor: string }>(
    "select what, actor from audit where what <> 'refused-access' order by number",
  );
  expect(lines.map(({ what }) => what)).toEqual(["protect-number", "unprotect-number", "stop", "resume"]);
  expect(new Set(lines.map(({ actor }) => actor))).toEqual(new Set(["central-prosecutor.capital"]));
});

test("what cannot be understood is named with its field", async () => {
  const { client } = capital;
  const metadata = await capital.token("central-prosecutor");
  const add = async (change: object) =>
    call(client.addProtectedNumber.bind(client), { ...request, ...change }, { metadata });
  await expect(add({ number: "12 letters" })).rejects.toMatchObject({ field: "number" });
  await expect(add({ originatesFrom: ["NOT A TRUNK"] })).rejects.toMatchObject({ code: "invalid-trunk" });
  await expect(add({ holder: " " })).rejects.toMatchObject({ code: "invalid-holder" });
  await expect(
    call(client.getStatistics.bind(client), { region: "nowhere", sinceMs: 0 }, { metadata }),
  ).rejects.toMatchObject({ code: "unknown-region" });
  await expect(
    read(client.listDirectives({ state: "odd", batch: "", limit: 0 }, metadata)).next(),
  ).rejects.toMatchObject({ code: "unknown-value" });
});

test("a replica that does not lead answers what is read, and leads when the leader has died", async () => {
  const { client, process, http } = await capital.secondReplica();
  await until(async () => ((await (await fetch(`http://${http}/ready`)).json()) as { ready: boolean }).ready);
  const metadata = await capital.token("central-prosecutor");
  const status = await call(client.getStatus.bind(client), {}, { metadata });
  expect(status).toMatchObject({ leader: false, regions: [{ region: "almaty" }, { region: "astana" }] });
  await capital.coordination.stop("SIGKILL");
  await until(async () => (await call(client.getStatus.bind(client), {}, { metadata })).leader);
  await capital.send("astana", "urgent", directives(directiveOf("astana", 50)));
  await until(
    async () =>
      (await capital.national()).table.entriesOf(directiveOf("astana", 50).target).measure !== undefined,
  );
  await process.stop("SIGTERM");
});
