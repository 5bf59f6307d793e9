import { generateKeyPairSync } from "node:crypto";
import { Metadata, status } from "@grpc/grpc-js";
import { SignJWT, UnsecuredJWT } from "jose";
import { afterAll, beforeAll, expect, test } from "vitest";
import { tokenAudience } from "#platform/identity.ts";
import { CapitalUnderTest, until } from "#test/coordination/capital-under-test.ts";
import { attack } from "./list.ts";

let capital: CapitalUnderTest;

beforeAll(async () => {
  capital = await CapitalUnderTest.start(["astana"]);
});
afterAll(async () => {
  await capital?.stop();
});

const claims = { role: "central-prosecutor", region: "capital" };

/** A token as the platform's identity makes it, but for the key that signs it. */
async function forged(): Promise<string> {
  const { privateKey } = generateKeyPairSync("ed25519");
  return new SignJWT(claims)
    .setProtectedHeader({ alg: "EdDSA" })
    .setSubject("thief")
    .setAudience(tokenAudience)
    .setExpirationTime("10m")
    .sign(privateKey);
}

/** The platform's own token with another role written into it. */
async function altered(): Promise<string> {
  const [header = "", body = "", signature = ""] = (await capital.tokenText("operator", "astana")).split(".");
  const payload = JSON.parse(Buffer.from(body, "base64url").toString()) as object;
  const other = Buffer.from(JSON.stringify({ ...payload, ...claims })).toString("base64url");
  return [header, other, signature].join(".");
}

const unsigned = async () =>
  new UnsecuredJWT(claims).setSubject("thief").setAudience(tokenAudience).setExpirationTime("10m").encode();

const tries: readonly (readonly [string, () => Promise<string>, status])[] = [
  ["of another issuer", forged, status.UNAUTHENTICATED],
  ["without a signature", unsigned, status.UNAUTHENTICATED],
  ["with another role written into it", altered, status.UNAUTHENTICATED],
  ["that has ended", () => capital.tokenText("central-prosecutor", "capital", -600), status.UNAUTHENTICATED],
  ["of an operator", () => capital.tokenText("operator", "astana"), status.PERMISSION_DENIED],
  [
    "of a regional prosecutor",
    () => capital.tokenText("regional-prosecutor", "astana"),
    status.PERMISSION_DENIED,
  ],
  [
    "of a central prosecutor of a region",
    () => capital.tokenText("central-prosecutor", "astana"),
    status.PERMISSION_DENIED,
  ],
  ["of nobody", async () => "", status.UNAUTHENTICATED],
];

test.each(tries)(`${attack("foreign-token")} (a token %s)`, async (_, token, expected) => {
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${await token()}`);
  const code = await new Promise<status | undefined>((resolve) => {
    capital.client.setNationalStop({ stopped: true }, metadata, (error) => resolve(error?.code));
  });
  expect(code).toBe(expected);
  const { table } = await capital.national();
  expect(table.stop?.stopped ?? false).toBe(false);
});

test("what was refused is in the audit and among the alarms", async () => {
  const rows = () =>
    capital.query<{ region: string; detail: string }>(
      "select region, detail from audit where what = 'refused-access'",
    );
  await until(async () => (await rows()).some(({ detail }) => detail.includes('"reason":"token"')));
  await until(async () => (await rows()).some(({ region }) => region === "astana"));
  await until(async () => {
    const headers = { authorization: `Bearer ${await capital.tokenText("central-prosecutor")}` };
    const answer = await fetch(`http://${capital.http}/v1/status`, { headers });
    const { alarms } = (await answer.json()) as { alarms: { code: string }[] };
    return alarms.some(({ code }) => code === "refused-access");
  });
});
