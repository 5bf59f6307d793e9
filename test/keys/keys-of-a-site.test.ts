import { createPrivateKey, createPublicKey, sign, verify, X509Certificate } from "node:crypto";
import { statSync } from "node:fs";
import { nkeys } from "nats";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadRegions } from "#infra/blueprint/regions.ts";
import { regionalStack } from "#infra/blueprint/regional-stack.ts";
import { placeholderKeys, placeholderPublicParts } from "#infra/keys/key-material.ts";
import { trustedAuthorities, trustedNkeys } from "#infra/keys/public-keys.ts";
import { givenDeployment, makeKeys, textOf, type GivenDeployment } from "./given-deployment.ts";

let given: GivenDeployment;
beforeAll(async () => {
  given = await givenDeployment();
  await makeKeys(given, "astana", "capital");
});
afterAll(() => given[Symbol.dispose]());

describe("the certificate of a workload", () => {
  test("is of the site's own authority, for the key beside it, and for both ends of a connection", async () => {
    const keys = await given.deployment.keys("astana");
    const certificate = new X509Certificate(keys.file("centre-certificate", "certificate"));
    const authority = new X509Certificate(keys.file("centre-certificate", "ca"));
    expect(certificate.subject).toBe("CN=centre.astana");
    expect(certificate.ca).toBe(false);
    expect(authority.ca).toBe(true);
    expect(certificate.checkIssued(authority)).toBe(true);
    expect(certificate.verify(authority.publicKey)).toBe(true);
    expect(certificate.checkPrivateKey(createPrivateKey(keys.file("centre-certificate", "key")))).toBe(true);
    // RFC 5280, 4.2.1.12: server and client.
    expect(certificate.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
  });

  test.each([
    "centre",
    "centre.astana",
    "centre.qalqan-astana",
    "centre.qalqan-astana.svc",
    "centre.qalqan-astana.svc.cluster.local",
    "centre-0.centre-pods.qalqan-astana.svc.cluster.local",
    "astana.qalqan.example",
    "localhost",
  ])("is good for the name %s", async (name) => {
    const keys = await given.deployment.keys("astana");
    const certificate = new X509Certificate(keys.file("centre-certificate", "certificate"));
    expect(certificate.checkHost(name)).toBeDefined();
  });

  test("is good for this machine's address, and for no other site's name", async () => {
    const keys = await given.deployment.keys("astana");
    const certificate = new X509Certificate(keys.file("centre-certificate", "certificate"));
    expect(certificate.checkIP("127.0.0.1")).toBe("127.0.0.1");
    for (const name of ["centre.almaty", "centre.qalqan-almaty.svc", "nats", "almaty.qalqan.example"])
      expect(certificate.checkHost(name)).toBeUndefined();
  });

  test("of the hub is good for the address under which regions reach it, and for its nodes", async () => {
    const keys = await given.deployment.keys("capital");
    const certificate = new X509Certificate(keys.file("nats-certificate", "certificate"));
    expect(certificate.checkHost("hub.qalqan.example")).toBeDefined();
    expect(certificate.subjectAltName).toContain("DNS:*.nats-pods,");
  });
});

describe("the other keys of a site", () => {
  test("are what services and NATS take", async () => {
    const keys = await given.deployment.keys("astana");
    const pair = nkeys.fromSeed(Buffer.from(keys.file("nats-leaf")));
    expect(keys.publicKeys("nats-leaf")).toEqual([pair.getPublicKey()]);
    expect(keys.file("region-key")).toMatch(/^[0-9a-f]{64}$/);
    expect(keys.file("postgres-password")).toMatch(/^[0-9a-f]{48}$/);
  });

  test("are other ones for each site and each secret", async () => {
    const astana = await given.deployment.keys("astana");
    const capital = await given.deployment.keys("capital");
    expect(astana.file("postgres-password")).not.toBe(capital.file("postgres-password"));
    expect(astana.file("nats-leaf")).not.toBe(astana.file("nats-line"));
  });

  test("are asked by name, and a name that there is not is said", async () => {
    const keys = await given.deployment.keys("astana");
    expect(() => keys.file("no-such-secret")).toThrow("no-such-secret");
    expect(() => keys.publicKeys("region-key")).toThrow("region-key");
  });

  test("sign what the public key in the public parts verifies", async () => {
    const keys = await given.deployment.keys("capital");
    const jwk = given.deployment.publicKeys("capital").signingKeys["signing-key"];
    const signature = sign(null, Buffer.from("sealed"), keys.file("signing-key"));
    const publicKey = createPublicKey({ key: { ...jwk }, format: "jwk" });
    expect(verify(null, Buffer.from("sealed"), publicKey, signature)).toBe(true);
    expect(jwk).toMatchObject({ kty: "OKP", crv: "Ed25519", alg: "EdDSA", use: "sig" });
  });
});

describe("on the disk", () => {
  test("nothing is readable but the public parts", async () => {
    const keys = await given.deployment.keys("astana");
    const encrypted = textOf(given.key("astana.age"));
    const published = textOf(given.key("astana.public.json"));
    expect(encrypted).toMatch(/^-----BEGIN AGE ENCRYPTED FILE-----\n/);
    const secrets = [
      keys.file("region-key"),
      keys.file("nats-leaf"),
      keys.file("signing-key").split("\n")[1] ?? "",
      keys.file("centre-certificate", "key").split("\n")[1] ?? "",
    ];
    for (const secret of secrets) {
      expect(secret.length).toBeGreaterThan(20);
      expect(encrypted).not.toContain(secret);
      expect(published).not.toContain(secret);
    }
    expect(published).not.toContain("PRIVATE KEY");
  });

  test("the encrypted file and the identity are their owner's alone", () => {
    for (const file of [given.key("astana.age"), given.identityFile])
      expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test("public parts are read without an identity, and say what others trust", async () => {
    const published = given.as({}).publicKeys("astana");
    const keys = await given.deployment.keys("astana");
    expect(trustedAuthorities([published])).toBe(keys.file("nats-certificate", "ca"));
    expect(trustedNkeys(published, "nats-leaf")).toEqual(keys.publicKeys("nats-leaf"));
  });
});

describe("placeholders", () => {
  const stacks = loadRegions().map(regionalStack);

  test("are the same every time, and plainly not real", () => {
    for (const stack of stacks) {
      const [keys, again] = [placeholderKeys(stack), placeholderKeys(stack)];
      for (const { name } of stack.secrets.filter(({ kind }) => kind !== "identity-keys")) {
        expect(keys.file(name)).toBe(again.file(name));
        expect(keys.file(name)).toContain("placeholder");
      }
      expect(placeholderPublicParts(stack)).toEqual(placeholderPublicParts(stack));
    }
  });

  test("of nkeys are what nats-server takes for one, each another", () => {
    const all = stacks.flatMap((stack) => Object.values(placeholderPublicParts(stack).nkeys));
    expect(new Set(all).size).toBe(all.length);
    for (const key of all) {
      expect(key).toMatch(/^UAPLACEHOLDER2[A-Z2-7]{42}$/);
      expect(() => nkeys.fromPublic(key)).not.toThrow();
    }
  });
});
