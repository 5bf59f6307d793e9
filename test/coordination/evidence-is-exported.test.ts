import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseSigningKeys } from "#domain/signing-keys.ts";
import { read } from "#platform/grpc-client.ts";
import type { Role } from "#domain/vocabulary.ts";
import { verifyEvidence } from "../../services/cli/evidence/verify-evidence.ts";
import { CapitalUnderTest, until } from "./capital-under-test.ts";
import { directiveOf, directives } from "./directives.ts";
import { SealedRegionLane } from "./sealed-region.ts";

const regions = ["astana", "almaty"];
const directive = { ...directiveOf("astana", 1), evidence: ["case-17"] };
let capital: CapitalUnderTest;
beforeAll(async () => {
  capital = await CapitalUnderTest.start(regions);
  for (const region of regions) capital.keys.of(region);
});
afterAll(() => capital.stop());

async function exported(client = capital.client, role: Role = "central-prosecutor"): Promise<string> {
  const metadata = await capital.token(role);
  const parts: Uint8Array[] = [];
  for await (const { content } of read(client.exportEvidence({ directive: directive.id }, metadata)))
    parts.push(content);
  return Buffer.concat(parts).toString("utf8");
}

const keys = () => parseSigningKeys(readFileSync(capital.keys.publishedFile, "utf8"));

const findings = (text: string) => verifyEvidence(text, keys()).findings;

test("what is not sealed yet is exported as that; once it is, everything is proven", async () => {
  await capital.send("astana", "urgent", directives(directive));
  await until(async () => (await capital.national()).batches.some(({ decisions }) => decisions.length > 0));
  for (const region of regions) await capital.sendReceipt(region);
  const early = findings(await exported());
  expect(early.filter(({ verdict }) => verdict === "false")).toEqual([]);
  expect(early.map(({ text }) => text).join("\n")).toMatch(
    /revision 1: block .*not sealed when the file was made/,
  );

  await new SealedRegionLane(capital, "astana", "urgent").seal();
  for (const region of regions) await new SealedRegionLane(capital, region, "events").seal();
  await until(
    async () => findings(await exported()).filter(({ verdict }) => verdict !== "proven").length === 1,
  );
  const text = await exported();
  expect(findings(text).filter(({ verdict }) => verdict === "not-proven")).toMatchObject([
    { text: "the directive names case-17 as evidence: it is no event of any lane here" },
  ]);
  for (const region of regions)
    expect(findings(text).find(({ site }) => site === region && site !== "astana")?.text ?? "").not.toContain(
      "no receipt",
    );
});

test("any replica exports, central prosecutors alone may ask, and who asked is in the audit", async () => {
  const second = await capital.secondReplica();
  await until(async () => (await exported(second.client)) !== "");
  await expect(exported(capital.client, "operator")).rejects.toThrow("operator");
  const rows = await capital.query<{ actor: string; detail: string }>(
    "select actor, detail from audit where what = 'export-evidence' order by number desc limit 1",
  );
  expect(rows).toMatchObject([
    { actor: "central-prosecutor.capital", detail: JSON.stringify({ directive: directive.id }) },
  ]);
});
