import fc from "fast-check";
import { expect, test } from "vitest";
import { parseNation } from "../../services/console/page/feed/nation.ts";
import { readServerEvents } from "../../services/console/page/feed/server-events.ts";
import { en } from "../../services/console/page/texts/en.ts";
import { kk } from "../../services/console/page/texts/kk.ts";
import { ru } from "../../services/console/page/texts/ru.ts";
import { createFormat } from "../../services/console/page/view/format.ts";
import { targetText } from "../../services/console/page/view/target-text.ts";
import { emptyNation, troubledNation } from "./given-nation.ts";

const bodyOf = (pieces: readonly Uint8Array[]) =>
  new ReadableStream<Uint8Array>({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece);
      controller.close();
    },
  });

test("events come out the same, wherever the network cuts the stream", async () => {
  const names = ["Қазақстан", "область Ұлытау", "a: b", "{}"];
  const stream = `retry: 1000\n\n: alive\n\n${names.map((name) => `event: nation\ndata: ${name}\n\n`).join("")}data: last\n\n`;
  const bytes = new TextEncoder().encode(stream);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 30 }), async (cuts) => {
      const at = [0, ...cuts.toSorted((one, other) => one - other), bytes.length];
      const pieces = at.slice(1).map((end, index) => bytes.slice(at[index], end));
      const events = await Array.fromAsync(readServerEvents(bodyOf(pieces), 1_000));
      expect(events).toEqual([
        ...names.map((data) => ({ event: "nation", data })),
        { event: "message", data: "last" },
      ]);
    }),
  );
});

test("a line on which nothing comes is given up", async () => {
  const silent = new ReadableStream<Uint8Array>();
  await expect(readServerEvents(silent, 20).next()).rejects.toThrow("the line is silent");
});

test("what is not of the agreed shape is refused", () => {
  for (const nation of [troubledNation(), emptyNation()])
    expect(parseNation(JSON.stringify(nation))).toEqual(nation);
  expect(() => parseNation("{")).toThrow(/JSON/);
  expect(() => parseNation(JSON.stringify({ ...troubledNation(), regions: [{ region: "a" }] }))).toThrow(
    /names/,
  );
});

test.each([
  ["+447911123456", "+447911123456"],
  ["+77011234567", "+7\u00A0701\u00A0123\u00A045\u00A067"],
  ["+7701•••••67@intl-1", "+7\u00A0701\u00A0•••\u00A0••\u00A067 on trunk intl-1"],
  ["+44200000000-+44299999999", "+44200000000 – +44299999999"],
  ["trunk:intl-1", "trunk intl-1"],
  ["+447911123456@intl-1", "+447911123456 on trunk intl-1"],
  ["+447911123456@international", "+447911123456 on any international trunk"],
])("the target %s is written %s", (key, written) => {
  expect(targetText(key, en)).toBe(written);
});

test.each([
  [0, "0 ms"],
  [412.4, "412 ms"],
  [59_999, "59 s"],
  [60_000, "1 min"],
  [3_723_000, "1 h 2 min"],
  [90_000_000, "1 d 1 h"],
])("%d ms last %s", (milliseconds, written) => {
  expect(createFormat("en", en).duration(milliseconds)).toBe(written);
});

test("moments are those of the country, with the day when it is another", () => {
  const noon = Date.UTC(2026, 10, 21, 7, 5, 9);
  const later = noon + 24 * 3_600_000;
  expect(createFormat("en", en).clock(noon)).toBe("12:05:09");
  expect(createFormat("kk", kk).moment(noon, noon)).toBe("12:05");
  expect(createFormat("kk", kk).moment(noon, later)).toBe("21.11, 12:05");
  expect(createFormat("ru", ru).moment(noon, later)).toBe("21.11, 12:05");
});

test("no language has a text that is empty or left in another language", () => {
  const texts = (given: object): string[] =>
    Object.values(given).flatMap((value) =>
      typeof value === "string"
        ? [value]
        : value instanceof RegExp || typeof value !== "object"
          ? []
          : texts(value),
    );
  const english = texts(en);
  for (const other of [kk, ru]) {
    const same = texts(other).filter((text, index) => text === english[index]);
    expect(same).toEqual(["Qalqan", "—"]);
    expect(texts(other)).not.toContain("");
  }
});
