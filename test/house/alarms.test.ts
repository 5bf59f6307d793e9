import { expect, test } from "vitest";
import { en } from "../../services/console/page/texts/en.ts";
import { kk } from "../../services/console/page/texts/kk.ts";
import { ru } from "../../services/console/page/texts/ru.ts";
import { codeFiles, textOf } from "./sources.ts";

test("every alarm that a service raises is said in words on the page, in each language", () => {
  const raised = new Set(
    codeFiles
      .filter((file) => file.startsWith("services/"))
      .flatMap((file) =>
        Array.from(textOf(file).matchAll(/\braise\(\s*"([a-z-]+)"/g), ([, code = ""]) => code),
      ),
  );
  expect(raised.size).toBeGreaterThan(10);
  for (const { alarms } of [en, kk, ru])
    expect([...raised].filter((code) => !(code in alarms.codes))).toEqual([]);
});
