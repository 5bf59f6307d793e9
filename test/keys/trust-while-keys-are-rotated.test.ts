import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer } from "node:tls";
import { expect, test } from "vitest";
import type { KeyMaterial } from "#infra/keys/key-material.ts";
import { trustedAuthorities, trustedNkeys } from "#infra/keys/public-keys.ts";
import { givenDeployment, makeKeys, tlsOf } from "./given-deployment.ts";

interface Side {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

/** Both show a certificate and believe the other's, as every connection of a site is made (TLS 1.3). */
async function believeEachOther(server: Side, client: Side, serverName: string): Promise<boolean> {
  const listening = createServer({
    ...server,
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: "TLSv1.3",
  });
  listening.on("secureConnection", (socket) => socket.end("welcome"));
  listening.listen(0, "127.0.0.1");
  await once(listening, "listening");
  const { port } = listening.address() as AddressInfo;
  const socket = connect({
    ...client,
    port,
    host: "127.0.0.1",
    servername: serverName,
    minVersion: "TLSv1.3",
  });
  try {
    // With TLS 1.3 a client hears only after its handshake that its certificate was refused.
    return await new Promise<boolean>((resolve) => {
      socket.once("data", (greeting) => resolve(greeting.toString() === "welcome"));
      socket.once("error", () => resolve(false));
      socket.once("close", () => resolve(false));
    });
  } finally {
    socket.destroy();
    listening.close();
  }
}

const centre = (material: KeyMaterial) => tlsOf(material, "centre-certificate");
const screening = (material: KeyMaterial) => tlsOf(material, "screening-certificate");
const within = (server: KeyMaterial, client: KeyMaterial) =>
  believeEachOther(centre(server), screening(client), "centre");

test("workloads of a site believe each other in every order of their restarts, and after the end only the new keys", async () => {
  using given = await givenDeployment();
  await makeKeys(given, "astana");
  const { keyStore } = given.deployment;
  const before = await given.deployment.keys("astana");
  await keyStore.rotate(given.deployment.keyOrder("astana"));
  const between = await given.deployment.keys("astana");
  await keyStore.finishRotation("astana");
  const after = await given.deployment.keys("astana");

  expect(await within(before, before)).toBe(true);
  // One of the two has restarted: it shows the bridge to whoever knows the old authority alone.
  expect(await within(before, between)).toBe(true);
  expect(await within(between, before)).toBe(true);
  expect(await within(between, between)).toBe(true);
  expect(await within(between, after)).toBe(true);
  expect(await within(after, between)).toBe(true);
  expect(await within(after, after)).toBe(true);
  expect(await within(after, before)).toBe(false);
  expect(await within(before, after)).toBe(false);
});

test("the hub believes every region, the rotated one too, after the end no longer its old keys, and nobody else", async () => {
  using given = await givenDeployment();
  await makeKeys(given, "capital", "astana", "almaty");
  const { keyStore } = given.deployment;
  const capital = await given.deployment.keys("capital");
  const hub = () => ({
    ...tlsOf(capital, "nats-certificate"),
    ca: trustedAuthorities(["almaty", "astana"].map((slug) => given.deployment.publicKeys(slug))),
  });
  const line = (material: KeyMaterial) => ({
    ...tlsOf(material, "nats-certificate"),
    ca: trustedAuthorities([given.deployment.publicKeys("capital")]),
  });
  const isLetIn = (material: KeyMaterial) => believeEachOther(hub(), line(material), "hub.qalqan.example");

  const before = await given.deployment.keys("astana");
  const almaty = await given.deployment.keys("almaty");
  expect(await isLetIn(before)).toBe(true);
  expect(await isLetIn(almaty)).toBe(true);
  // What the capital gives to its own workloads is no way in from outside.
  expect(await isLetIn(capital)).toBe(false);

  await keyStore.rotate(given.deployment.keyOrder("astana"));
  const between = await given.deployment.keys("astana");
  expect(await isLetIn(before)).toBe(true);
  expect(await isLetIn(between)).toBe(true);

  await keyStore.finishRotation("astana");
  expect(await isLetIn(await given.deployment.keys("astana"))).toBe(true);
  expect(await isLetIn(before)).toBe(false);
  expect(await isLetIn(almaty)).toBe(true);
});

test("a rotation changes every secret, and keeps what others need to go on", async () => {
  using given = await givenDeployment();
  await makeKeys(given, "astana");
  const order = given.deployment.keyOrder("astana");
  const before = await given.deployment.keys("astana");
  const known = given.deployment.publicKeys("astana");
  await given.deployment.keyStore.rotate(order);
  const between = await given.deployment.keys("astana");
  const rotating = given.deployment.publicKeys("astana");
  for (const { name } of order.stack.secrets.filter(({ kind }) => kind !== "identity-keys"))
    expect(between.file(name)).not.toBe(before.file(name));
  expect(rotating.fingerprint).not.toBe(known.fingerprint);
  expect(between.publicKeys("nats-leaf")).toEqual([rotating.nkeys["nats-leaf"], known.nkeys["nats-leaf"]]);
  expect(trustedNkeys(rotating, "nats-leaf")).toEqual(between.publicKeys("nats-leaf"));
  expect(rotating.previous).toEqual({ authority: known.authority, nkeys: known.nkeys });

  await given.deployment.keyStore.finishRotation("astana");
  const finished = given.deployment.publicKeys("astana");
  const after = await given.deployment.keys("astana");
  expect(after.publicKeys("nats-leaf")).toEqual([rotating.nkeys["nats-leaf"]]);
  expect(finished.previous).toBeNull();
  // What it has signed stays signed: the old public key is known for ever.
  expect(finished.formerSigningKeys["signing-key"]).toEqual([known.signingKeys["signing-key"]]);
});

test("a rotation is finished before the next one begins, and only one that was begun", async () => {
  using given = await givenDeployment();
  await makeKeys(given, "astana");
  const { keyStore } = given.deployment;
  const order = given.deployment.keyOrder("astana");
  await expect(keyStore.finishRotation("astana")).rejects.toMatchObject({
    code: "no-rotation",
    value: "astana",
  });
  await keyStore.rotate(order);
  const before = given.deployment.publicKeys("astana");
  await expect(keyStore.rotate(order)).rejects.toMatchObject({
    code: "rotation-unfinished",
    value: "astana",
  });
  expect(given.deployment.publicKeys("astana")).toEqual(before);
});
