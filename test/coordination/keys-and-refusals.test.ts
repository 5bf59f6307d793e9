import { afterAll, beforeAll, expect, test } from "vitest";
import { directiveOf, directives, idOf } from "./directives.ts";
import { CapitalUnderTest, until } from "./capital-under-test.ts";

let capital: CapitalUnderTest;
const regions = ["astana", "almaty"];

beforeAll(async () => {
  capital = await CapitalUnderTest.start(regions);
});
afterAll(async () => {
  await capital?.stop();
});

interface Line {
  readonly region: string;
  readonly reason?: string;
  readonly count?: number;
  readonly atMs?: number;
}

const audit = async (what: string): Promise<Line[]> =>
  (
    await capital.query<{ region: string; detail: string }>(
      `select region, detail from audit where what = '${what}' order by number`,
    )
  ).map(({ region, detail }) => ({ ...(JSON.parse(detail) as Line), region }));

const alarms = async () => {
  const answer = await fetch(`http://${capital.http}/v1/status`, {
    headers: { authorization: `Bearer ${await capital.tokenText("central-prosecutor")}` },
  });
  return ((await answer.json()) as { alarms: { code: string; subject: string; detail: string }[] }).alarms;
};

const isNational = async (id: string) => {
  const { batches } = await capital.national();
  return batches.some(({ decisions }) => decisions.some(({ directive }) => directive === id));
};

test("what a revoked key has sent before stays valid, what it sends afterwards is refused, and the audit says both", async () => {
  await capital.send("astana", "urgent", directives(directiveOf("astana", 1)));
  await until(() => isNational(idOf("astana", 1)));
  const atMs = Date.now();
  capital.writeRegions(regions, { astana: [{ atMs, change: "revoked" }] });
  await until(async () => (await audit("key-revoked")).length === 1);
  await capital.send("astana", "urgent", directives(directiveOf("astana", 2)));
  await capital.send("almaty", "urgent", directives(directiveOf("almaty", 3)));
  await until(() => isNational(idOf("almaty", 3)));
  await until(async () => (await audit("refused")).some(({ reason }) => reason === "key-revoked"));
  expect(await isNational(idOf("astana", 2))).toBe(false);
  const { table } = await capital.national();
  expect(table.entriesOf(directiveOf("astana", 1).target).measure?.directive).toBe(idOf("astana", 1));
  expect(await audit("key-revoked")).toEqual([{ region: "astana", atMs }]);
  expect(await alarms()).toContainEqual(
    expect.objectContaining({
      code: "key-revoked",
      subject: "astana",
      detail: expect.stringContaining("npx qalqan region rotate astana"),
    }),
  );
  await until(async () => (await alarms()).some(({ code }) => code === "refused-events"));
});

test("a capital that is started again refuses the same, and says nothing twice", async () => {
  await capital.coordination.killAndRestart();
  await capital.ready();
  await capital.send("astana", "urgent", directives(directiveOf("astana", 4)));
  await until(
    async () => (await audit("refused")).filter(({ reason }) => reason === "key-revoked").length === 2,
  );
  expect(await isNational(idOf("astana", 4))).toBe(false);
  expect(await audit("key-revoked")).toHaveLength(1);
});

test("with a new key the region is heard again; what came in between stays refused", async () => {
  const [{ atMs = 0 } = {}] = await audit("key-revoked");
  const keyChanges = [
    { atMs, change: "revoked" },
    { atMs: Date.now(), change: "renewed" },
  ] as const;
  capital.writeRegions(regions, { astana: keyChanges });
  await until(async () => (await audit("key-renewed")).length === 1);
  await capital.send("astana", "urgent", directives(directiveOf("astana", 5)));
  await until(() => isNational(idOf("astana", 5)));
  expect(await isNational(idOf("astana", 4))).toBe(false);
  await until(async () => !(await alarms()).some(({ code }) => code === "key-revoked"));
});

test("a flood of refusals is a handful of lines in the audit, and its sum is right", async () => {
  const before = (await audit("refused")).length;
  const count = 2_000;
  for (let index = 0; index < count; index += 1)
    await capital.sendBytes("almaty", "events", "directives", Buffer.from("no event at all"));
  const unreadable = async () => (await audit("refused")).filter(({ reason }) => reason === "unreadable");
  await until(
    async () => (await unreadable()).reduce((sum, line) => sum + (line.count ?? 0), 0) === count,
    60_000,
  );
  expect((await audit("refused")).length - before).toBeLessThan(10);
});
