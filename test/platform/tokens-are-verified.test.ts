import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT, type CryptoKey, type JWTPayload } from "jose";
import { beforeAll, describe, expect, test } from "vitest";
import { createTokenVerifier, requirePerson, tokenAudience, type TokenVerifier } from "#platform/identity.ts";

const claims = { sub: "operator-1.astana", role: "operator", region: "astana", aud: tokenAudience };
const inAnHour = () => Math.floor(Date.now() / 1000) + 3_600;

describe("a bearer token", () => {
  let verify: TokenVerifier;
  let key: CryptoKey;
  let jwks: string;
  beforeAll(async () => {
    const pair = await generateKeyPair("EdDSA");
    key = pair.privateKey;
    jwks = JSON.stringify({ keys: [{ ...(await exportJWK(pair.publicKey)), kid: "1", alg: "EdDSA" }] });
    verify = createTokenVerifier(jwks);
  });
  const signed = (payload: JWTPayload, by = key) =>
    new SignJWT(payload).setProtectedHeader({ alg: "EdDSA", kid: "1" }).sign(by);

  test("names the person, and the carrier where it does", async () => {
    const token = await signed({ ...claims, exp: inAnHour() });
    expect(await verify(`Bearer ${token}`)).toEqual({
      id: "operator-1.astana",
      role: "operator",
      region: "astana",
    });
    const carrier = await signed({ ...claims, role: "carrier", carrier: "kazakhtelecom", exp: inAnHour() });
    expect(await verify(`Bearer ${carrier}`)).toMatchObject({ role: "carrier", carrier: "kazakhtelecom" });
  });

  test.each<[string, JWTPayload]>([
    ["of another audience", { ...claims, aud: "bank", exp: inAnHour() }],
    ["without an audience", { sub: claims.sub, role: "operator", region: "astana", exp: inAnHour() }],
    ["that has ended", { ...claims, exp: inAnHour() - 7_200 }],
    ["that never ends", claims],
    ["without a role", { sub: claims.sub, region: "astana", aud: tokenAudience, exp: inAnHour() }],
    ["with a role that does not exist", { ...claims, role: "king", exp: inAnHour() }],
    ["without a region", { sub: claims.sub, role: "operator", aud: tokenAudience, exp: inAnHour() }],
    ["of nobody", { ...claims, sub: "", exp: inAnHour() }],
  ])("%s is refused", async (_name, payload) => {
    const token = await signed(payload);
    await expect(verify(`Bearer ${token}`)).rejects.toMatchObject({ code: "unauthenticated" });
  });

  test("that is not signed, or by another key, or by the public key as a secret, is refused", async () => {
    const payload = { ...claims, exp: inAnHour() };
    const unsigned = new UnsecuredJWT(payload).encode();
    const foreign = await signed(payload, (await generateKeyPair("EdDSA")).privateKey);
    const confused = await new SignJWT(payload)
      .setProtectedHeader({ alg: "HS256", kid: "1" })
      .sign(new TextEncoder().encode(jwks));
    for (const token of [unsigned, foreign, confused, "", "a.b.c"]) {
      await expect(verify(`Bearer ${token}`)).rejects.toMatchObject({ code: "unauthenticated" });
    }
    await expect(verify(undefined)).rejects.toMatchObject({ code: "unauthenticated" });
  });

  test("of another region, or of a role that may not, does nothing", () => {
    const person = { id: "1", role: "operator", region: "astana" } as const;
    expect(() => requirePerson(person, "almaty", ["operator"])).toThrow(
      expect.objectContaining({ code: "forbidden", field: "authorization.region" }),
    );
    expect(() => requirePerson(person, "astana", ["carrier"])).toThrow(
      expect.objectContaining({ code: "forbidden", field: "authorization.role" }),
    );
    expect(() => requirePerson(person, "astana", ["operator"])).not.toThrow();
  });
});
