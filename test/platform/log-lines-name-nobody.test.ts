import { expect, test } from "vitest";
import { InvalidInput } from "#domain/invalid-input.ts";
import { createLog } from "#platform/log.ts";

const number = "+77011234567";

function linesOf(write: (log: ReturnType<typeof createLog>) => void): string {
  const lines: string[] = [];
  write(createLog("centre", "astana", "info", { write: (line) => lines.push(line) }));
  return lines.join("");
}

test("an error of PostgreSQL is logged without the row that it repeats", () => {
  const error = Object.assign(new Error(`invalid input syntax for type bigint: "${number}"`), {
    ...{ code: "23514", detail: `Failing row contains (Aigerim, ${number}).`, where: "COPY line 1: Aigerim" },
  });
  const line = linesOf((log) => log.error({ err: error }, "a call failed"));
  expect(line).not.toMatch(/7011234567|Aigerim/u);
  expect(JSON.parse(line)).toMatchObject({
    err: { type: "Error", code: "23514", message: 'invalid input syntax for type bigint: "…"' },
  });
});

test("what people gave is not in the log, as a value, a cause or a reason", () => {
  const given = new InvalidInput({
    ...{ code: "invalid-number", field: "number", value: number, message: "is none", remedy: "" },
  });
  const line = linesOf((log) => {
    log.error({ err: new Error("failed", { cause: given }) }, "first");
    log.error({ err: new AggregateError([given, new Error(`for 87011234567`)], "several") }, "second");
    log.info({ reason: String(new Error(`no route to tel:${number}`)) }, "third");
  });
  expect(line).not.toContain("7011234567");
  expect(line).toMatch(/InvalidInput.*\n.*several.*\n.*no route/u);
});

test("ids, times and places stay readable", () => {
  const id = "astana-01K0000000000000000000000B";
  const line = linesOf((log) => log.info({ reason: `${id} at 127.0.0.1:5432, sequence 1234567` }, "said"));
  expect(JSON.parse(line)).toMatchObject({ reason: `${id} at 127.0.0.1:5432, sequence 1234567` });
});
