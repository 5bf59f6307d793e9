import { describe, expect, test } from "vitest";
import { sendAlarms } from "#platform/alarm-sender.ts";
import { Alarms } from "#platform/alarms.ts";
import { testLog, until } from "./servers.ts";

describe("the alarms of a service", () => {
  test("are said at the start, and whenever one begins or ends, the whole list each time", async () => {
    const alarms = new Alarms(testLog);
    const said: string[][] = [];
    const ended = new AbortController();
    const sending = sendAlarms(
      alarms,
      { region: "astana", source: "centre" },
      async ({ body }) => {
        if (body?.$case !== "alarms") throw new Error("something else was said");
        expect(body.value).toMatchObject({ region: "astana", source: "centre" });
        said.push(body.value.alarms.map(({ code, subject }) => `${code} ${subject}`));
      },
      ended.signal,
    );
    await until(() => said.length === 1);
    alarms.raise("stream-nearly-full", "EVENTS", "it is nearly full");
    await until(() => said.length === 2);
    alarms.raise("database-behind", "urgent", "it came from a copy");
    await until(() => said.length === 3);
    alarms.clear("stream-nearly-full", "EVENTS");
    await until(() => said.length === 4);
    ended.abort();
    await sending;
    expect(said).toEqual([
      [],
      ["stream-nearly-full EVENTS"],
      ["stream-nearly-full EVENTS", "database-behind urgent"],
      ["database-behind urgent"],
    ]);
  });
});
