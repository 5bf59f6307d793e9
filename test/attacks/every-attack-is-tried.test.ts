import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { attacks } from "./list.ts";

test("each attack of the list is tried by exactly one test, and its outcome and trace are said", () => {
  const sources = readdirSync(import.meta.dirname)
    .filter((file) => file.endsWith(".test.ts"))
    .map((file) => readFileSync(join(import.meta.dirname, file), "utf8"));
  const tried = sources.flatMap((text) => [...text.matchAll(/attack\("([a-z-]+)"\)/g)].map(([, id]) => id));
  expect(tried.toSorted()).toEqual(attacks.map(({ id }) => id).toSorted());
  for (const { outcome, trace } of attacks) expect([outcome, trace]).not.toContain("");
});

test("the list can be read", () => {
  const lines = attacks.map(
    ({ id, tried, key, outcome, trace }) =>
      `${id}\n  tried: ${tried}\n  with: ${key}\n  outcome: ${outcome}\n  trace: ${trace}`,
  );
  process.stdout.write(`${lines.join("\n")}\n`);
});
