import { expect, test } from "vitest";
import { codeFiles, projectFiles, textOf } from "./sources.ts";

const specification = "services/replication/SPEC.md";

interface Invariant {
  readonly name: string;
  /** Each with the test's file and name. */
  readonly tests: readonly { readonly file: string; readonly name: string }[];
}

/** The invariants of a specification: `### SYNC-1 …`, and under it lines of a file and a test's name. */
function invariantsOf(text: string): Invariant[] {
  return text
    .split(/^### /m)
    .slice(1)
    .flatMap((section) => {
      const name = /^SYNC-\d+\b/.exec(section)?.[0];
      if (name === undefined) return [];
      const lines = section.split(/^#{1,2} /m)[0] ?? "";
      const tests = Array.from(lines.matchAll(/^- `([^`]+)`: “([^”]+)”$/gm), ([, file = "", title = ""]) => ({
        file,
        name: title,
      }));
      return [{ name, tests }];
    });
}

/** What is wrong with a specification. */
function objectionsTo(text: string, textOfFile: (file: string) => string | undefined): string[] {
  const invariants = invariantsOf(text);
  const names = invariants.map(({ name }) => name);
  return [
    ...names
      .filter((name, index) => names.indexOf(name) !== index)
      .map((name) => `${name} stands there twice`),
    ...invariants.flatMap(({ name, tests }) => [
      ...(tests.length === 0 ? [`${name} names no test`] : []),
      ...tests.flatMap((named) => {
        const source = textOfFile(named.file);
        if (source === undefined) return [`${name} names ${named.file}, which does not exist`];
        const isThere = ['"', "'", "`"].some((quote) => source.includes(`${quote}${named.name}${quote}`));
        return isThere ? [] : [`${name} names the test “${named.name}”, which ${named.file} does not have`];
      }),
    ]),
  ];
}

/** Invariants that a text speaks of. */
const claimedIn = (text: string): string[] => [...new Set(text.match(/\bSYNC-\d+\b/g) ?? [])];

const tests = (file: string): string | undefined =>
  projectFiles.includes(file) && file.endsWith(".test.ts") ? textOf(file) : undefined;

test("every invariant of the specification names tests that exist", () => {
  const text = textOf(specification);
  expect(invariantsOf(text).length).toBeGreaterThan(0);
  expect(objectionsTo(text, tests)).toEqual([]);
});

test("every invariant that code speaks of is in the specification", () => {
  const known = invariantsOf(textOf(specification)).map(({ name }) => name);
  const here = "test/house/spec.test.ts";
  const claims = codeFiles
    .filter((file) => /^(services|test|infra)\//.test(file) && file !== here)
    .flatMap((file) => claimedIn(textOf(file)).map((name) => ({ file, name })));
  expect(claims.filter(({ name }) => !known.includes(name))).toEqual([]);
});

test("an invariant without a test, with one that does not exist, or twice is found", () => {
  const text = [
    "### SYNC-1 A promise",
    "### SYNC-2 Another",
    "- `test/a.test.ts`: “holds”",
    "- `test/a.test.ts`: “is gone”",
    "- `test/gone.test.ts`: “holds”",
    "### SYNC-2 Another",
    "- `test/a.test.ts`: “holds”",
    "## Not an invariant",
  ].join("\n");
  const source = (file: string) => (file === "test/a.test.ts" ? `test("holds", () => {});` : undefined);
  expect(objectionsTo(text, source)).toEqual([
    "SYNC-2 stands there twice",
    "SYNC-1 names no test",
    "SYNC-2 names the test “is gone”, which test/a.test.ts does not have",
    "SYNC-2 names test/gone.test.ts, which does not exist",
  ]);
  expect(claimedIn("breaks SYNC-7, SYNC-7 and SYNC-12")).toEqual(["SYNC-7", "SYNC-12"]);
});
