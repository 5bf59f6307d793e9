import { afterAll, beforeAll, expect, test } from "vitest";
import { call } from "#platform/grpc-client.ts";
import { CapitalUnderTest, until } from "./capital-under-test.ts";
import { approvalOf, directiveOf, directives, idOf, memberOf, numberOf, revokedOf } from "./directives.ts";

let capital: CapitalUnderTest;
beforeAll(async () => {
  capital = await CapitalUnderTest.start(["astana", "almaty"]);
});
afterAll(async () => {
  await capital.stop();
});

test("an opinion becomes a row of the national table, with its decision in the same message", async () => {
  const opinion = directiveOf("astana", 1);
  await capital.send("astana", "urgent", directives(opinion));
  await until(async () => (await capital.national()).batches.length > 0);
  const { batches, table } = await capital.national();
  expect(batches[0]?.decisions).toMatchObject([
    { region: "astana", directive: opinion.id, revision: 1, decision: "accepted", reason: "" },
  ]);
  expect(table.entriesOf(opinion.target).measure).toMatchObject({
    action: "block",
    soleSupport: opinion.id,
    revision: 1,
  });
});

test("a revocation takes the row away", async () => {
  const opinion = directiveOf("astana", 2);
  await capital.send("astana", "urgent", directives(opinion), directives(revokedOf(opinion)));
  await until(async () =>
    (await capital.national()).batches.some(({ decisions }) =>
      decisions.some(({ decision }) => decision === "revoked"),
    ),
  );
  const { table } = await capital.national();
  expect(table.entriesOf(opinion.target).measure).toBeUndefined();
});

test("two regions support one row until the last of them withdraws", async () => {
  const target = numberOf(3);
  const ours = directiveOf("astana", 3, { target });
  const theirs = directiveOf("almaty", 3, { target });
  await capital.send("astana", "urgent", directives(ours));
  await capital.send("almaty", "urgent", directives(theirs));
  await until(async () => (await capital.national()).table.entriesOf(target).measure?.soleSupport === "");
  await capital.send("astana", "urgent", directives(revokedOf(ours)));
  await until(
    async () => (await capital.national()).table.entriesOf(target).measure?.soleSupport === theirs.id,
  );
  await capital.send("almaty", "urgent", directives(revokedOf(theirs)));
  await until(async () => (await capital.national()).table.entriesOf(target).measure === undefined);
  const rows = (await capital.national()).batches.flatMap((batch) => batch.rows);
  const removed = rows.flatMap(({ row }) => (row?.$case === "removed" ? [row.value] : []));
  expect(removed.filter((key) => key === `measure|${target}`)).toHaveLength(1);
});

test("members that come after the approval of their batch count at once", async () => {
  const batch = idOf("astana", 50);
  const member = (index: number) => memberOf("astana", batch, index);
  const isDecided = async (id: string, decision: string) =>
    (await capital.national()).batches.some(({ decisions }) =>
      decisions.some((each) => each.directive === id && each.decision === decision),
    );
  await capital.send("astana", "events", directives(member(51)));
  await capital.send("astana", "urgent", { $case: "approval", value: approvalOf("astana", { batch }) });
  await until(async () => isDecided(member(51).id, "accepted"));
  await capital.send("astana", "events", directives(member(52)));
  await until(async () => isDecided(member(52).id, "accepted"));
});

test("what a region says for another region is refused, counted and audited", async () => {
  const stolen = directiveOf("almaty", 4);
  await capital.send(
    "astana",
    "urgent",
    directives(stolen, directiveOf("astana", 4)),
    { $case: "approval", value: approvalOf("almaty", { directive: idOf("almaty", 4) }) },
    {
      $case: "batchRevocation",
      value: { batch: idOf("almaty", 9), person: "x", role: "operator", reason: "mistake", atMs: 1 },
    },
  );
  await capital.sendBytes("astana", "urgent", "directives", Buffer.from("no event at all"));
  // The unreadable one was sent last, so with it the lane has been read to its end, in one step or in several.
  const refusals = async () => {
    const rows = await capital.query<{ detail: string }>("select detail from audit where what = 'refused'");
    return rows.map(({ detail }) => JSON.parse(detail) as { reason: string; count: number });
  };
  // Refusals of one kind that follow the first are told as a sum, a second later.
  const claimed = async () =>
    (await refusals())
      .filter(({ reason }) => reason === "other-region")
      .reduce((sum, { count }) => sum + count, 0);
  await until(async () => (await refusals()).some(({ reason }) => reason === "unreadable"));
  await until(async () => (await claimed()) === 3);
  await until(async () => (await capital.national()).table.entriesOf(stolen.target).measure !== undefined);
  const { table, batches } = await capital.national();
  expect(table.entriesOf(stolen.target).measure?.directive).toBe(idOf("astana", 4));
  expect(batches.flatMap(({ decisions }) => decisions).some(({ directive }) => directive === stolen.id)).toBe(
    false,
  );
});

test("what no release writes is refused, and the lane goes on behind it", async () => {
  const nul = "a\0b";
  const far = Number.MAX_SAFE_INTEGER;
  const count = { verdict: nul, reason: "", trunk: "", mode: "", decision: "", questions: far };
  const answered = { key: Buffer.alloc(8), minute: far, verdict: "block", reason: "", attributedTo: "" };
  const counters = { region: "astana", source: "screening-0:boot", flush: 1 };
  await capital.send(
    "astana",
    "urgent",
    directives(directiveOf("astana", 11, { target: nul }), directiveOf("astana", 12, { batch: "no batch" })),
    directives(directiveOf("astana", 13, { reason: nul }), directiveOf("astana", 14, { expiresAtMs: far })),
    directives(directiveOf("astana", 15, { target: "a target of a later release" })),
    { $case: "approval", value: approvalOf("astana", { directive: idOf("astana", 1), person: nul }) },
    {
      $case: "batchRevocation",
      value: { batch: idOf("astana", 9), person: nul, role: "", reason: "", atMs: far },
    },
    {
      $case: "trunkSet",
      value: {
        ...{ trunk: "intl-1", revision: far, direction: nul, operator: nul },
        sbcAddress: "",
        mode: "",
        percent: 0,
      },
    },
    { $case: "counters", value: { ...counters, minutes: [{ minute: 1, counts: [count] }], calls: [] } },
    {
      $case: "counters",
      value: {
        ...counters,
        minutes: [],
        calls: [{ ...answered, firstOfPairToday: true, fallbackKey: false }],
      },
    },
    { $case: "intelligenceWithdrawn", value: { id: idOf("astana", 1), revision: 1, audience: nul, atMs: 1 } },
    directives(directiveOf("astana", 16)),
  );
  const { target } = directiveOf("astana", 16);
  await until(async () => (await capital.national()).table.entriesOf(target).measure !== undefined);
  expect(capital.log()).not.toContain('"level":"fatal"');
});

test("the audit cannot be changed afterwards", async () => {
  await expect(capital.query("update audit set actor = 'nobody'")).rejects.toThrow("append-only");
  await expect(capital.query("delete from audit")).rejects.toThrow("append-only");
  await expect(capital.query("truncate audit")).rejects.toThrow("append-only");
});

test("a directive that ends leaves the table by a message of the capital", async () => {
  const opinion = directiveOf("astana", 5, { expiresAtMs: Date.now() + 5_000 });
  await capital.send("astana", "urgent", directives(opinion));
  await until(async () => (await capital.national()).table.entriesOf(opinion.target).measure !== undefined);
  await until(async () => (await capital.national()).table.entriesOf(opinion.target).measure === undefined);
  const { batches } = await capital.national();
  expect(
    batches
      .flatMap(({ decisions }) => decisions)
      .filter(({ directive }) => directive === opinion.id)
      .map(({ decision }) => decision),
  ).toEqual(["accepted", "expired"]);
});

test("a held directive counts from its approval on, whichever came first", async () => {
  const first = directiveOf("astana", 6, { authorRole: "analyst", missing: ["second-person"] });
  const second = directiveOf("astana", 7, { authorRole: "analyst", missing: ["second-person"] });
  await capital.send("astana", "urgent", directives(first));
  await capital.send("astana", "urgent", {
    $case: "approval",
    value: approvalOf("astana", { directive: second.id }),
  });
  await capital.send("astana", "urgent", {
    $case: "approval",
    value: approvalOf("astana", { directive: first.id }),
  });
  await capital.send("astana", "urgent", directives(second));
  await until(async () => (await capital.national()).table.entriesOf(second.target).measure !== undefined);
  const { batches, table } = await capital.national();
  expect(table.entriesOf(first.target).measure?.directive).toBe(first.id);
  const words = (id: string) =>
    batches
      .flatMap(({ decisions }) => decisions)
      .filter(({ directive }) => directive === id)
      .map(({ decision }) => decision);
  expect(words(first.id).at(-1)).toBe("accepted");
  expect(words(second.id)).toEqual(["accepted"]);
});

test("what needs a second region counts from that region's approval on: a batch, and a directive of its region alone", async () => {
  const missing = ["second-person", "second-region", "carrier"];
  const batch = idOf("astana", 600);
  const member = memberOf("astana", batch, 601, { target: "+77011230601", missing });
  const alone = directiveOf("astana", 602, { target: "+77011230602", scope: "region", missing });
  await capital.send("astana", "events", directives(member));
  await capital.send("astana", "urgent", directives(alone));
  const subjects = [{ batch }, { directive: alone.id }];
  const decisions = async (id: string) =>
    (await capital.national()).batches
      .flatMap((each) => each.decisions)
      .filter(({ directive }) => directive === id)
      .map(({ decision, missing: lacking }) => [decision, ...lacking].join(" "));
  for (const subject of subjects) {
    const second = approvalOf("almaty", { ...subject, kind: "second-region", complete: false });
    await capital.send("almaty", "urgent", { $case: "approval", value: second });
  }
  for (const { id } of [member, alone]) {
    await until(async () => (await decisions(id)).at(-1) === "held second-person");
  }
  for (const subject of subjects) {
    const person = approvalOf("astana", { ...subject, complete: false });
    await capital.send("astana", "urgent", { $case: "approval", value: person });
  }
  for (const { id } of [member, alone]) {
    await until(async () => (await decisions(id)).at(-1) === "accepted");
  }
  const { table } = await capital.national();
  expect(table.entriesOf(member.target).measure?.directive).toBe(member.id);
  // Only its own region enforces it.
  expect(table.entriesOf(alone.target).measure).toBeUndefined();
});

test("members of a batch that was revoked never come alive, whichever lane was first", async () => {
  const batch = idOf("astana", 800);
  await capital.send("astana", "urgent", { $case: "approval", value: approvalOf("astana", { batch }) });
  await capital.send("astana", "urgent", {
    $case: "batchRevocation",
    value: {
      batch,
      person: "prosecutor-1.astana",
      role: "regional-prosecutor",
      reason: "mistake",
      atMs: Date.now(),
    },
  });
  await capital.send(
    "astana",
    "events",
    directives(memberOf("astana", batch, 8), memberOf("astana", batch, 9)),
  );
  await until(async () =>
    (await capital.national()).batches
      .flatMap(({ decisions }) => decisions)
      .some(({ directive }) => directive === idOf("astana", 9)),
  );
  const { batches, table } = await capital.national();
  expect(batches.flatMap(({ revokedBatches }) => revokedBatches)).toEqual([batch]);
  expect(table.isRevokedBatch(batch)).toBe(true);
  expect(table.entriesOf(numberOf(8)).measure).toBeUndefined();
});

test("a directive is shown with its decision", async () => {
  const metadata = await capital.token("operator", "almaty");
  const { client } = capital;
  const view = await call(client.getDirective.bind(client), { id: idOf("astana", 1) }, { metadata });
  expect(view).toMatchObject({ state: "national", nationalRevision: 1, revision: 1, settled: false });
  expect(view.receipts.map(({ region, state }) => [region, state])).toEqual([
    ["almaty", "waiting"],
    ["astana", "waiting"],
  ]);
  await expect(
    call(client.getDirective.bind(client), { id: "astana-none" }, { metadata }),
  ).rejects.toMatchObject({ code: "not-found" });
});
