import { afterAll, beforeAll, expect, test } from "vitest";
import { firstEpoch, hubStream } from "#proto/names.ts";
import { RegionBatch, type Intelligence } from "#proto/qalqan/events/v1/events.ts";
import { lastOf, readAll } from "#test/replication/servers.ts";
import { CapitalUnderTest, until } from "./capital-under-test.ts";
import { idOf } from "./directives.ts";

let capital: CapitalUnderTest;
beforeAll(async () => {
  capital = await CapitalUnderTest.start(["astana", "almaty", "mangystau"]);
});
afterAll(async () => {
  await capital.stop();
});

function piece(index: number, audience: string, change: Partial<Intelligence> = {}) {
  const intelligence: Intelligence = {
    id: idOf("astana", index),
    revision: 1,
    kind: "wallet",
    fieldsJson: '{"address":"sample"}',
    audience,
    tlp: "amber",
    confidence: 60,
    source: "operator",
    author: "analyst-1.astana",
    createdAtMs: Date.now(),
    validUntilMs: Date.now() + 86_400_000,
    releasedWording: "",
    ...change,
  };
  return { $case: "intelligence", value: { intelligence } } as const;
}

const withdrawal = (index: number, audience: string) =>
  ({
    $case: "intelligenceWithdrawn",
    value: { id: idOf("astana", index), revision: 2, audience, atMs: Date.now() },
  }) as const;

/** What a region's FOR says: ids shared, and ids withdrawn. */
async function toldTo(region: string): Promise<{ shared: string[]; withdrawn: string[] }> {
  const stream = hubStream.forRegion(region, firstEpoch);
  const messages = (await lastOf(capital.nats, stream)) === 0 ? [] : await readAll(capital.nats, stream);
  const batches = messages.map(({ data }) => RegionBatch.decode(data));
  return {
    shared: batches.flatMap((batch) =>
      batch.intelligence.flatMap(({ intelligence }) => intelligence?.id ?? []),
    ),
    withdrawn: batches.flatMap((batch) => batch.intelligenceWithdrawn.map(({ id }) => id)),
  };
}

async function national() {
  const { batches } = await capital.national();
  return {
    shared: batches.flatMap((batch) =>
      batch.intelligence.flatMap(({ intelligence }) => intelligence?.id ?? []),
    ),
    withdrawn: batches.flatMap((batch) => batch.intelligenceWithdrawn.map(({ id }) => id)),
  };
}

test("for all centres through NATIONAL, for named regions through their FOR, and through no other", async () => {
  await capital.send("astana", "events", piece(1, "all"), piece(2, "almaty"));
  await until(async () => (await toldTo("almaty")).shared.length === 1);
  await until(async () => (await national()).shared.length === 1);
  expect(await national()).toEqual({ shared: [idOf("astana", 1)], withdrawn: [] });
  expect((await toldTo("almaty")).shared).toEqual([idOf("astana", 2)]);
  expect(await toldTo("mangystau")).toEqual({ shared: [], withdrawn: [] });
});

test("withdrawn is withdrawn wherever it was, and never comes back", async () => {
  await capital.send("astana", "events", withdrawal(1, "all"), withdrawal(2, "almaty"));
  await capital.send(
    "astana",
    "events",
    piece(1, "all", { revision: 3 }),
    piece(2, "almaty", { revision: 3 }),
  );
  await capital.send("astana", "events", piece(4, "all"));
  await until(async () => (await national()).shared.includes(idOf("astana", 4)));
  expect(await national()).toEqual({
    shared: [idOf("astana", 1), idOf("astana", 4)],
    withdrawn: [idOf("astana", 1)],
  });
  await until(async () => (await toldTo("almaty")).withdrawn.length === 1);
  expect(await toldTo("almaty")).toEqual({ shared: [idOf("astana", 2)], withdrawn: [idOf("astana", 2)] });
});

test("what is for its own region alone, or another region's, goes nowhere", async () => {
  await capital.send("astana", "events", piece(5, "region"), piece(6, "all", { id: idOf("almaty", 6) }));
  await capital.send("astana", "events", piece(7, "all"));
  await until(async () => (await national()).shared.includes(idOf("astana", 7)));
  expect((await national()).shared).not.toContain(idOf("astana", 5));
  expect((await national()).shared).not.toContain(idOf("almaty", 6));
  expect(await capital.query("select from audit where what = 'refused'")).toHaveLength(2);
});

test("a region that joins the nation later hears what is for it by name", async () => {
  await capital.send(
    "astana",
    "events",
    piece(8, "almaty,west-kazakhstan"),
    piece(9, "west-kazakhstan"),
    withdrawal(9, ""),
  );
  await until(async () => (await toldTo("almaty")).shared.includes(idOf("astana", 8)));
  capital.writeRegions(["astana", "almaty", "mangystau", "west-kazakhstan"]);
  await until(async () => (await toldTo("west-kazakhstan")).shared.length > 0);
  expect(await toldTo("west-kazakhstan")).toEqual({ shared: [idOf("astana", 8)], withdrawn: [] });
});
