import { basename } from "node:path";
import { describe, expect, test } from "vitest";
import { forbiddenImports, regionsSpelled } from "./boundaries.ts";
import { checkout, codeFiles, isGenerated, projectFiles, readSource, textOf } from "./sources.ts";

const sources = codeFiles.map((file) => readSource(file));
const linesMax = 400;

describe("the rooms of the house", () => {
  test("dependencies point one way", () => {
    expect(sources.flatMap((source) => forbiddenImports(source))).toEqual([]);
  });

  test.each([
    ["services/domain/fold.ts", `import { log } from "#platform/log.ts";`],
    ["services/domain/fold.ts", `import type { Directive } from "#proto/qalqan/events/v1/events.ts";`],
    ["services/domain/fold.ts", `import { readFile } from "node:fs/promises";`],
    ["services/centre/server.ts", `export * from "../screening/server.ts";`],
    ["services/centre/server.ts", `import { blueprint } from "#infra/blueprint/region.ts";`],
    ["services/platform/nats.ts", `type Fold = import("../coordination/fold.ts").Fold;`],
    ["infra/local/run.ts", `const centre = await import("../../services/centre/main.ts");`],
    ["services/cli/main.ts", `import { issue } from "../centre/issue.ts";`],
  ])("%s is refused %s", (file, text) => {
    expect(forbiddenImports(readSource(file, text))).toHaveLength(1);
  });

  test.each([
    ["services/domain/fold.ts", `import { createHash } from "node:crypto";`],
    ["services/centre/rpc/issue.ts", `import { parseAction } from "#domain/vocabulary.ts";`],
    ["services/cli/main.ts", `import { blueprint } from "#infra/blueprint/region.ts";`],
    ["infra/local/run.ts", `// import "../../services/centre/main.ts";`],
  ])("%s is allowed %s", (file, text) => {
    expect(forbiddenImports(readSource(file, text))).toEqual([]);
  });
});

describe("the code", () => {
  const slugs = projectFiles
    .filter((file) => /^regions\/[^/]+\.yaml$/.test(file))
    .map((file) => basename(file, ".yaml"));

  test("spells no region", () => {
    expect(slugs).not.toEqual([]);
    const shipped = sources.filter(({ file }) => /^(services|infra)\//.test(file));
    expect(shipped.flatMap((source) => regionsSpelled(source, slugs))).toEqual([]);
  });

  test("is caught when it asks for one region", () => {
    const text = `// "north" is a comment\nif (region === "north") open("north-east", "Asia/north", "as in north");`;
    expect(regionsSpelled(readSource("services/centre/a.ts", text), ["north"])).toEqual([
      "services/centre/a.ts:2 spells north",
    ]);
  });

  test(`has no file of more than ${linesMax} lines`, () => {
    const read = projectFiles.filter(
      (file) => /^(services|infra|test|proto)\/.*\.(ts|tsx|mjs|proto|css)$/.test(file) && !isGenerated(file),
    );
    const long = read.filter((file) => textOf(file).trimEnd().split("\n").length > linesMax);
    expect(long).toEqual([]);
  });
});

test("no file names a folder of a developer's machine", () => {
  const homes = String.raw`/(?:home|Users)/[\w.-]+|/[r]oot/|[A-Z]:\\Users\\`;
  const here = checkout.split("/").length > 2 ? `|${checkout.replaceAll(".", String.raw`\.`)}(?![\\w-])` : "";
  const folders = new RegExp(String.raw`(?<![\w.:/-])(?:${homes}${here})`);
  const read = projectFiles.filter((file) => !/^test\/data\/|\.(png|woff2?|binpb)$/.test(file));
  expect(read.filter((file) => folders.test(textOf(file)))).toEqual([]);
});
