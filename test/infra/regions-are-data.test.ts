import { copyFileSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { regionalStack } from "#infra/blueprint/regional-stack.ts";
import { loadRegions, RegionInvalid, regionsFolder } from "#infra/blueprint/regions.ts";
import { temporaryFolder } from "./small-nation.ts";

/** The project's regions with one file changed. */
function changed(path: string, file: string, from: string, to: string): void {
  for (const name of readdirSync(regionsFolder)) copyFileSync(join(regionsFolder, name), join(path, name));
  writeFileSync(join(path, file), readFileSync(join(regionsFolder, file), "utf8").replace(from, to));
}

test("there are twenty, Astana alone in the first wave", () => {
  const regions = loadRegions();
  expect(regions).toHaveLength(20);
  expect(regions.filter(({ rolloutWave }) => rolloutWave === 1).map(({ slug }) => slug)).toEqual(["astana"]);
});

test.each([
  ["an unknown key", "astana.yaml", "sizeClass:", "sizeClas:", { field: "sizeClass", value: "missing" }],
  ["a key too many", "astana.yaml", "sizeClass:", "extra: 1\nsizeClass:", { field: "extra", value: "1" }],
  ["a wrong size", "astana.yaml", "large", "huge", { field: "sizeClass", value: '"huge"' }],
  [
    "a slug of another file",
    "astana.yaml",
    "slug: astana",
    "slug: capital",
    { field: "slug", value: '"capital"' },
  ],
  ["a code that another has", "astana.yaml", "KZ-71", "KZ-75", { field: "iso", value: "KZ-75" }],
  ["coordinates abroad", "astana.yaml", "51.1801", "15.1", { field: "coordinates.latitude", value: "15.1" }],
])("%s is refused with file, field, value and remedy", (_, file, from, to, expected) => {
  using folder = temporaryFolder();
  changed(folder.path, file, from, to);
  expect(() => loadRegions(folder.path)).toThrow(RegionInvalid);
  expect(() => loadRegions(folder.path)).toThrow(
    expect.objectContaining({ file, ...expected, remedy: expect.any(String) }),
  );
});

test("editors know the same fields as the loader", () => {
  const schema = JSON.parse(readFileSync(join(regionsFolder, "region.schema.json"), "utf8")) as {
    required: string[];
    properties: Record<string, unknown>;
  };
  const fields = Object.keys(loadRegions()[0] ?? {}).sort();
  expect(Object.keys(schema.properties).sort()).toEqual(fields);
  expect(schema.required.toSorted()).toEqual(fields);
});

test("two regions differ in amounts and names, never in what they consist of", () => {
  const shape = (slug: string, resources: readonly string[]) =>
    JSON.stringify(
      loadRegions()
        .filter((region) => region.slug === slug)
        .map(regionalStack),
      (key, value: unknown) => (resources.includes(key) ? undefined : value),
    ).replaceAll(slug, "<region>");
  const amounts = ["resources", "gibibytes"];
  const first = shape("astana", amounts);
  for (const { slug } of loadRegions()) expect(shape(slug, amounts)).toBe(first);
});
