import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  dialledForm,
  readEntries,
  type ReportedEntry,
  type ReportFormat,
} from "../../services/cli/reported-numbers.ts";

async function* inPieces(text: string, size: number): AsyncGenerator<string> {
  for (let start = 0; start < text.length; start += size) yield text.slice(start, start + size);
}

async function read(format: ReportFormat, text: string, size = 7): Promise<string[]> {
  const entries: ReportedEntry[] = [];
  for await (const entry of readEntries(format, inPieces(text, size))) entries.push(entry);
  expect(entries.map(({ index }) => index)).toEqual(entries.map((_, place) => place));
  return entries.map(({ number }) => number);
}

describe("a file of comma separated values", () => {
  it.each([
    ["one number a line", "+77011234567\n87011234568\n", ["+77011234567", "87011234568"]],
    ["no line end at the end", "+77011234567\r\n87011234568", ["+77011234567", "87011234568"]],
    ["a column named phone", "date,phone,what\n2026-01-01,+4420,x\n2026-01-02,+4421,\n", ["+4420", "+4421"]],
    ["a column named Number, semicolons", "what;Number\nx;123\n", ["123"]],
    ["a header that names no number", "Reported\n+4420\n", ["+4420"]],
    ["no header, the first column", "+4420,x\n+4421,y\n", ["+4420", "+4421"]],
    ["quotes, also within a cell", '"phone","a ""b"", c"\n"+44 20, 1","x"\n', ["+44 20, 1"]],
    ["a byte order mark and blank lines", "\uFEFFphone\n\n+4420\n\n\n", ["+4420"]],
    ["a row without the column", "a,phone\nx\n", [""]],
    ["nothing", "", []],
  ])("is read with %s", async (_what, text, numbers) => {
    expect(await read("csv", text)).toEqual(numbers);
  });
});

describe("a file of the Federal Trade Commission", () => {
  it.each([
    ["texts", '["2092705358", "4105338179"]', ["2092705358", "4105338179"]],
    ["objects", '[{"number":"1","a":[1,{"b":"]"}]},{"phone":"2"}]', ["1", "2"]],
    ["the service's own form", '[{"attributes":{"company-phone-number":"3"}}]', ["3"]],
    ["escapes", String.raw`["4\"]","\\"]`, ['4"]', "\\"]],
    ["something else among them", "[1, null, {}]", ["1", "null", ""]],
    ["nothing", " [ ] \n", []],
  ])("is read with %s", async (_what, text, numbers) => {
    expect(await read("ftc-json", text)).toEqual(numbers);
  });

  it.each(["", "{}", '["1"', '["1",]', '["1"] x', '["1",,"2"]', "[nonsense]", "]"])(
    "is refused as a whole when it is %j",
    async (text) => {
      await expect(read("ftc-json", text)).rejects.toMatchObject({ code: "invalid-file", field: "file" });
    },
  );

  it("means ten digits as +1, and refuses what is no such number", () => {
    expect(dialledForm("ftc-json", "2092705358")).toBe("+12092705358");
    expect(() => dialledForm("ftc-json", "0000000000")).toThrow(
      expect.objectContaining({ code: "invalid-number", value: "0000000000" }),
    );
    expect(dialledForm("csv", "8 701 123 45 67")).toBe("8 701 123 45 67");
  });
});

describe("reading", () => {
  it("gives back any JSON texts, however the file is cut into pieces", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.string()), fc.integer({ min: 1, max: 20 }), async (texts, size) => {
        expect(await read("ftc-json", JSON.stringify(texts), size)).toEqual(texts);
      }),
    );
  });

  it("ends in entries or in one clear error, whatever the file has", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("csv" as const, "ftc-json" as const),
        fc.string(),
        async (format, text) => {
          const outcome: unknown = await read(format, text).catch((error: unknown) => error);
          expect(Array.isArray(outcome) ? "read" : outcome).toSatisfy(
            (end) => end === "read" || (end as { code?: string }).code === "invalid-file",
          );
        },
      ),
    );
  });
});
