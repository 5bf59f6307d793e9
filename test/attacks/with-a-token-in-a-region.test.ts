import { generateKeyPairSync } from "node:crypto";
import { SignJWT } from "jose";
import { afterAll, beforeAll, expect, test } from "vitest";
import { call, bearer } from "#platform/grpc-client.ts";
import { tokenAudience } from "#platform/identity.ts";
import { CentreService, issueRequest, operator, region, stranger } from "#test/centre/centre-service.ts";
import { until } from "#test/replication/servers.ts";
import { verifyAudit } from "../../services/centre/store/audit.ts";
import { attack } from "./list.ts";

let service: CentreService;
beforeAll(async () => {
  service = await CentreService.start();
});
afterAll(() => service.stop());

/** A token of a person of this region, by a key that nobody trusts. */
function forged(): Promise<string> {
  const { privateKey } = generateKeyPairSync("ed25519");
  return new SignJWT({ role: operator.role, region: operator.region })
    .setProtectedHeader({ alg: "EdDSA" })
    .setSubject(operator.id)
    .setAudience(tokenAudience)
    .setExpirationTime("10m")
    .sign(privateKey);
}

test(`tried: ${attack("foreign-token-in-a-region")}`, async () => {
  const asked = issueRequest({ number: "+442071000001" });
  const issue = service.client.issueDirective.bind(service.client);
  await service.issue(operator, { number: "+442071000002" });
  for (let count = 0; count < 20; count += 1)
    await expect(service.as(stranger, "issueDirective", asked)).rejects.toMatchObject({ code: "forbidden" });
  await expect(call(issue, asked, { metadata: bearer(await forged()) })).rejects.toMatchObject({
    code: "unauthenticated",
  });
  await until(async () => (await service.alarmsSaid()).includes("refused-access centre"));
  const refusals = async () =>
    service.database.selectFrom("audit").selectAll().where("what", "=", "refused-access").execute();
  await until(async () => {
    const counts = (await refusals()).map(({ detail }) => (JSON.parse(detail) as { count: number }).count);
    return counts.reduce((sum, count) => sum + count, 0) === 21;
  });
  const rows = await refusals();
  expect(new Set(rows.map(({ person }) => person))).toEqual(new Set([stranger.id, "unknown person"]));
  // A flood of them is no flood of the audit.
  expect(rows.length).toBeLessThan(8);
  expect((await verifyAudit(service.database)).firstBroken).toBeUndefined();
  expect(await service.database.selectFrom("directives").select("id").execute()).toHaveLength(1);
});

test("what the region's screening refused is told there in the same way, and by nobody else", async () => {
  const refused = [{ actor: stranger.id, region: stranger.region, reason: "not for operator", count: 7 }];
  const screening = await service.clientOf(`screening.${region}`);
  await call(screening.reportRefusals.bind(screening), { refused });
  screening.close();
  await until(async () => (await service.alarmsSaid()).includes("refused-access screening"));
  const lines = await service.database
    .selectFrom("audit")
    .selectAll()
    .where("subject", "=", "screening")
    .execute();
  expect(lines).toMatchObject([{ what: "refused-access", person: stranger.id }]);
  expect(JSON.parse(lines[0]?.detail ?? "{}")).toMatchObject({ service: "screening", count: 7 });
  const anybody = service.client.reportRefusals.bind(service.client);
  await expect(call(anybody, { refused })).rejects.toMatchObject({ code: "forbidden" });
});
