import { expect, test } from "vitest";
import { loadRegions } from "#infra/blueprint/regions.ts";
import { Deployment } from "#infra/deployment/deployment.ts";
import { renderedFiles } from "#infra/kubernetes/rendered-files.ts";
import { siteManifests } from "#infra/kubernetes/site-manifests.ts";
import { placeholderNation, siteOf } from "#infra/kubernetes/sites.ts";

/**
 * What changes on the clusters is seen in a review: refresh these files with
 * `npx vitest run test/kubernetes/manifests-are-reviewed.test.ts -u`.
 */
const nation = placeholderNation(Deployment.of({}, {}));

test.each(["astana", "capital"])("the manifests of %s are those that were reviewed", async (name) => {
  const files = renderedFiles(siteManifests(await siteOf(nation, name)));
  expect(files.map((file) => file.name)).toMatchSnapshot("files");
  for (const { name: file, text } of files) {
    await expect(text).toMatchFileSnapshot(`golden/${name}/${file}`);
  }
});

test("every region has the same objects, by kind and name", async () => {
  const lists = await Promise.all(
    loadRegions().map(async ({ slug }) =>
      siteManifests(await siteOf(nation, slug)).map(
        ({ kind, metadata }) => `${kind} ${metadata.name.replace(/-[0-9a-f]{10}$/, "").replace(slug, "R")}`,
      ),
    ),
  );
  expect(new Set(lists.map((list) => list.join("\n"))).size).toBe(1);
});
