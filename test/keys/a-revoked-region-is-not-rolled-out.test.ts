import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { renewRegion, revokeRegion } from "#infra/deployment/region-files.ts";
import { capitalSite, placeholderNation, type NationInputs } from "#infra/kubernetes/sites.ts";
import { givenDeployment, makeKeys, type GivenDeployment } from "./given-deployment.ts";

const where = { leafHost: "hub.example", leafPort: 7422 };

/** The capital of the deployment as it would be rolled out, where only keys are its own. */
async function capitalOf({ deployment }: GivenDeployment) {
  const shape = placeholderNation({
    regions: () => deployment.regions(),
    capital: () => ({ ...deployment.capital(), ...where }),
  });
  const nation: NationInputs = {
    ...shape,
    keyChanges: deployment.keyChanges(),
    publicParts: (stack) =>
      stack.site === "capital" ? shape.publicParts(stack) : deployment.publicKeys(stack.site),
  };
  const { line, nation: list } = await capitalSite(nation);
  if (!("accounts" in line)) throw new Error("the capital has no accounts");
  return { accounts: line.accounts, authorities: line.authorities, list };
}

const leafKey = ({ deployment }: GivenDeployment) => deployment.publicKeys("astana").nkeys["nats-leaf"] ?? "";

test("a revoked key is in no accounts, its authority is not trusted, and the capital's list says since when", async () => {
  using given = await givenDeployment();
  await makeKeys(given, "astana", "almaty");
  const before = await capitalOf(given);
  const { authority } = given.deployment.publicKeys("astana");
  expect(before.accounts).toContain(leafKey(given));
  expect(before.authorities).toContain(authority);

  const atMs = revokeRegion(given.deployment, "astana");
  expect(revokeRegion(given.deployment, "astana")).toBe(atMs);
  const after = await capitalOf(given);
  expect(after.accounts).not.toContain(leafKey(given));
  expect(after.accounts).toContain(given.deployment.publicKeys("almaty").nkeys["nats-leaf"]);
  expect(after.authorities).not.toContain(authority);
  const region = (JSON.parse(after.list) as { slug: string; keyChanges?: unknown }[]).find(
    ({ slug }) => slug === "astana",
  );
  expect(region?.keyChanges).toEqual([{ atMs, change: "revoked" }]);
});

test("a region with new keys is let in by those alone, also where a rotation was under way", async () => {
  using given = await givenDeployment();
  await makeKeys(given, "astana", "almaty");
  const stolen = leafKey(given);
  await given.deployment.keyStore.rotate(given.deployment.keyOrder("astana"));
  revokeRegion(given.deployment, "astana");
  await renewRegion(given.deployment, "astana");
  const { accounts } = await capitalOf(given);
  expect(accounts).toContain(leafKey(given));
  expect(accounts).not.toContain(stolen);
  expect(given.deployment.publicKeys("astana").previous).toBeNull();
  expect(given.deployment.keyChanges()["astana"]?.map(({ change }) => change)).toEqual([
    "revoked",
    "renewed",
  ]);
});

test("a file of changes that cannot be read stops the roll-out: it would let a revoked key in", async () => {
  using given = await givenDeployment();
  await makeKeys(given, "astana");
  revokeRegion(given.deployment, "astana");
  const file = join(given.folder, "key-changes.json");
  writeFileSync(file, readFileSync(file, "utf8").slice(1));
  expect(() => given.deployment.keyChanges()).toThrow(
    expect.objectContaining({ code: "key-changes-invalid" }),
  );
});
