import { afterEach, describe, expect, test, vi } from "vitest";
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

  describe("that end by themselves", () => {
    const minuteMs = 60_000;
    const shown = (alarms: Alarms) => alarms.list().map(({ detail }) => detail);
    afterEach(() => void vi.useRealTimers());

    test("are shown in full after they were raised again", () => {
      vi.useFakeTimers();
      const alarms = new Alarms(testLog);
      alarms.raise("database-behind", "urgent", "one event", 10 * minuteMs);
      vi.advanceTimersByTime(9 * minuteMs);
      alarms.raise("database-behind", "urgent", "two events", 10 * minuteMs);
      vi.advanceTimersByTime(9 * minuteMs);
      expect(shown(alarms)).toEqual(["two events"]);
      vi.advanceTimersByTime(minuteMs);
      expect(shown(alarms)).toEqual([]);
    });

    test("stay where they were raised again without an end", () => {
      vi.useFakeTimers();
      const alarms = new Alarms(testLog);
      alarms.raise("database-behind", "urgent", "one event", 10 * minuteMs);
      alarms.raise("database-behind", "urgent", "one event");
      vi.advanceTimersByTime(60 * minuteMs);
      expect(shown(alarms)).toEqual(["one event"]);
    });
  });
});
