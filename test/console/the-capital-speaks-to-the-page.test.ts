import { createHash } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CapitalUnderTest } from "#test/coordination/capital-under-test.ts";
import { directiveOf, directives } from "#test/coordination/directives.ts";
import { parseNation, type Nation } from "../../services/console/page/feed/nation.ts";
import { readServerEvents } from "../../services/console/page/feed/server-events.ts";
import { targetShown } from "../../services/coordination/http/page-view.ts";
import { openWindow, useBrowser } from "./open-page.ts";

useBrowser();

const regions = ["astana", "almaty"];
let capital: CapitalUnderTest;
beforeAll(async () => {
  capital = await CapitalUnderTest.start(regions, {
    CONSOLE_OPEN_ON_LOOPBACK: "true",
    CONSOLE_DIRECTORY: join(import.meta.dirname, "..", "..", "services", "console", "dist"),
  });
});
afterAll(() => capital.stop());

/** What the capital says until it says what is waited for. */
async function hear(isWanted: (nation: Nation) => boolean): Promise<Nation> {
  const answer = await fetch(`http://${capital.http}/v1/events`);
  if (answer.body === null) throw new Error(`the capital answers ${answer.status}`);
  for await (const { data } of readServerEvents(answer.body, 10_000)) {
    const nation = parseNation(data);
    if (isWanted(nation)) return nation;
  }
  throw new Error("the capital ended the line");
}

test("what the real capital says is what the page reads", async () => {
  await capital.send("astana", "urgent", directives(directiveOf("astana", 1)));
  // A member of an import: it must not push what people decided off the page.
  const batch = "astana-01K0000000000000000000000B";
  await capital.send("astana", "events", directives(directiveOf("astana", 2, { batch })));
  const minute = Math.floor(Date.now() / 60_000);
  const call = {
    key: createHash("sha256").update("a call").digest().subarray(0, 8),
    ...{ minute, verdict: "block", reason: "number", attributedTo: "almaty" },
    ...{ firstOfPairToday: true, fallbackKey: false },
  };
  const value = { region: "astana", source: "screening-0:boot", flush: 1, minutes: [], calls: [call] };
  await capital.send("astana", "events", { $case: "counters", value });

  const nation = await hear(
    ({ lastHour, directives: latest }) => lastHour.calls > 0 && latest[0]?.state === "national",
  );
  expect(nation.lastHour).toEqual({ calls: 1, intercepted: 1, forged: 0, warned: 0 });
  expect(nation.minutes).toHaveLength(60);
  expect(nation.minutes.find((each) => each.calls > 0)).toMatchObject({
    minute: minute * 60_000,
    intercepted: 1,
  });
  expect(nation.regions.map(({ region, calls }) => [region, calls])).toEqual([
    ["almaty", 1],
    ["astana", 0],
  ]);
  expect(nation.directives).toMatchObject([
    {
      region: "astana",
      target: directiveOf("astana", 1).target,
      action: "block",
      enforcedIn: 0,
      of: 2,
      slowestMs: null,
    },
  ]);
});

test("the capital serves the page, which shows it in a browser", async () => {
  const page = await openWindow();
  await page.goto(`http://${capital.http}/`);
  await page.getByText("0 of 2 regions in sync").waitFor();
  expect(await page.locator(".line-mark").innerText()).toContain("Live");
  await page.context().close();
});

test.each([
  ["+447911123456", "block", "+447911123456"],
  ["+447911123456", "allow", "+4479••••••56"],
  ["+77011234567@intl-1", "block", "+7701•••••67@intl-1"],
  ["+77011234567", "divert", "+7701•••••67"],
  ["+74951234567", "block", "+74951234567"],
  ["+77011234500-+77011234599", "block", "+77011234500-+77011234599"],
  ["trunk:intl-1", "observe", "trunk:intl-1"],
])("of the target %s that is to %s, the open page shows %s", (target, action, shown) => {
  expect(targetShown(target, action)).toBe(shown);
});
