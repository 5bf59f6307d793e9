import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Decrypter, armor } from "age-encryption";
import { expect, test, vi } from "vitest";
import { capitalSite } from "#infra/blueprint/stack.ts";
import { dayMs } from "#infra/keys/certificates.ts";
import { KeyFiles } from "#infra/keys/key-files.ts";
import { fingerprintOf } from "#infra/keys/public-keys.ts";
import { checkout } from "#test/house/sources.ts";
import { givenDeployment, makeKeys, textOf, type GivenDeployment } from "./given-deployment.ts";

const problem = (code: string) =>
  expect.objectContaining({
    name: "Problem",
    code,
    field: expect.any(String),
    remedy: expect.stringMatching(/./),
  });

/** Everything under the folder of keys, with its content. */
function everything(given: GivenDeployment): Record<string, string> {
  const folder = given.key("");
  return Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => [entry.name, readFileSync(join(entry.parentPath, entry.name), "utf8")]),
  );
}

test("a file of keys opens with any identity of the recipients, as age's own command would open it", async () => {
  using given = await givenDeployment();
  const second = join(given.folder, "..", "second.txt");
  await given.deployment.access.makeIdentity(second);
  await makeKeys(given, "astana");
  for (const file of [given.identityFile, second]) {
    const decrypter = new Decrypter();
    decrypter.addIdentity(textOf(file).trim().split("\n").at(-1) ?? "");
    const text = await decrypter.decrypt(armor.decode(textOf(given.key("astana.age"))), "text");
    expect(JSON.parse(text)).toMatchObject({ keys: { site: "astana" } });
    const { site } = await given
      .as({ QALQAN_KEYS_IDENTITY_FILE: file })
      .keyStore.read(given.deployment.keyOrder("astana"));
    expect(site).toBe("astana");
  }
});

test("an identity may be given as a text instead of a file", async () => {
  using given = await givenDeployment();
  await makeKeys(given, "astana");
  const identity = textOf(given.identityFile).trim().split("\n").at(-1) ?? "";
  await expect(given.as({ QALQAN_KEYS_IDENTITY: identity }).keys("astana")).resolves.toBeDefined();
});

test.each([
  ["nobody's", {}, "identity-missing"],
  ["no identity", { QALQAN_KEYS_IDENTITY: "AGE-SECRET-KEY-1SLIP" }, "identity-invalid"],
  ["a file that is not there", { QALQAN_KEYS_IDENTITY_FILE: "/no/such/file" }, "identity-invalid"],
])("%s identity opens nothing, and what was given is not repeated", async (_, environment, code) => {
  using given = await givenDeployment();
  await makeKeys(given, "astana");
  const asking = given.as(environment).keys("astana");
  await expect(asking).rejects.toThrow(problem(code));
  await expect(asking).rejects.not.toThrow("SLIP");
});

test("another's identity is refused, and nothing is touched by any command", async () => {
  using given = await givenDeployment();
  await makeKeys(given, "astana");
  using other = await givenDeployment();
  const stranger = given.as({ QALQAN_KEYS_IDENTITY_FILE: other.identityFile });
  const before = everything(given);
  const order = stranger.keyOrder("astana");
  await expect(stranger.keys("astana")).rejects.toThrow(problem("keys-undecryptable"));
  await expect(stranger.keyStore.make(order)).rejects.toThrow(problem("keys-undecryptable"));
  await expect(stranger.keyStore.rotate(order)).rejects.toThrow(problem("keys-undecryptable"));
  await expect(stranger.keyStore.finishRotation("astana")).rejects.toThrow(problem("keys-undecryptable"));
  expect(everything(given)).toEqual(before);
});

test("whoever is added to the recipients can open the keys after they were encrypted again, and whoever is removed cannot", async () => {
  using given = await givenDeployment();
  await makeKeys(given, "astana");
  const before = await given.deployment.keys("astana");
  const second = join(given.folder, "..", "second.txt");
  const recipient = await given.deployment.access.makeIdentity(second);
  const theirs = given.as({ QALQAN_KEYS_IDENTITY_FILE: second });
  await expect(theirs.keys("astana")).rejects.toThrow(problem("keys-undecryptable"));
  expect(await given.deployment.keyStore.make(given.deployment.keyOrder("astana"))).toBe("encrypted-again");
  expect((await theirs.keys("astana")).file("nats-leaf")).toBe(before.file("nats-leaf"));

  writeFileSync(join(given.folder, "recipients.txt"), `# the second alone\n${recipient}\n`);
  expect(await theirs.keyStore.make(theirs.keyOrder("astana"))).toBe("encrypted-again");
  await expect(given.deployment.keys("astana")).rejects.toThrow(problem("keys-undecryptable"));
  expect(await theirs.keyStore.make(theirs.keyOrder("astana"))).toBe("kept");
});

test.each([
  ["no recipients", "", "recipients-missing"],
  ["a recipient with a slip in it", "age1nonsense\n", "recipients-invalid"],
])("with %s no keys are made", async (_, content, code) => {
  using given = await givenDeployment();
  writeFileSync(join(given.folder, "recipients.txt"), content);
  await expect(makeKeys(given, "astana")).rejects.toThrow(problem(code));
  expect(readdirSync(given.folder)).toEqual(["recipients.txt"]);
});

test.each([
  ["cut off", (file: string) => truncateSync(file, 300)],
  ["cut off by a byte of its end", (file: string) => truncateSync(file, textOf(file).length - 36)],
  ["empty", (file: string) => truncateSync(file, 0)],
  ["longer than it was", (file: string) => appendFileSync(file, "more\n")],
  [
    "changed in one character",
    (file: string) => {
      const text = textOf(file);
      const at = Math.floor(text.length / 2);
      writeFileSync(file, `${text.slice(0, at)}${text[at] === "A" ? "B" : "A"}${text.slice(at + 1)}`);
    },
  ],
])("a file that is %s is refused before anything is touched", async (_, damage) => {
  using given = await givenDeployment();
  await makeKeys(given, "astana");
  damage(given.key("astana.age"));
  const before = everything(given);
  await expect(given.deployment.keys("astana")).rejects.toThrow(problem("keys-damaged"));
  await expect(makeKeys(given, "astana")).rejects.toThrow(problem("keys-damaged"));
  // Without an identity it cannot be said why, only that the two do not belong together.
  expect(() => given.as({}).publicKeys("astana")).toThrow(problem("keys-half-written"));
  expect(everything(given)).toEqual(before);
});

test("files of two sites that were swapped are noticed, encrypted or public", async () => {
  using given = await givenDeployment();
  await makeKeys(given, "astana", "almaty");
  const swap = (ending: string) => {
    renameSync(given.key(`astana.${ending}`), given.key("aside"));
    renameSync(given.key(`almaty.${ending}`), given.key(`astana.${ending}`));
    renameSync(given.key("aside"), given.key(`almaty.${ending}`));
  };
  swap("age");
  await expect(given.deployment.keys("astana")).rejects.toThrow(problem("keys-of-other-site"));
  expect(() => given.deployment.publicKeys("almaty")).toThrow(problem("keys-half-written"));
  swap("public.json");
  expect(() => given.deployment.publicKeys("almaty")).toThrow(problem("keys-of-other-site"));
  await expect(makeKeys(given, "almaty")).rejects.toThrow(problem("keys-of-other-site"));
});

test("a public part that somebody changed is noticed, with and without a fitting fingerprint", async () => {
  using given = await givenDeployment();
  await makeKeys(given, "astana", "almaty");
  const file = given.key("astana.public.json");
  const own = given.deployment.publicKeys("astana");
  const nkeys = given.deployment.publicKeys("almaty").nkeys;
  writeFileSync(file, JSON.stringify({ ...own, nkeys }));
  expect(() => given.deployment.publicKeys("astana")).toThrow(problem("keys-damaged"));
  writeFileSync(file, JSON.stringify({ ...own, nkeys, fingerprint: fingerprintOf({ ...own, nkeys }) }));
  await expect(given.deployment.keys("astana")).rejects.toThrow(problem("keys-mismatch"));
  await expect(makeKeys(given, "astana")).rejects.toThrow(problem("keys-mismatch"));
});

test("keys that a crash left between the two files are named, and made whole by `make`", async () => {
  using given = await givenDeployment();
  await makeKeys(given, "astana");
  const earlier = textOf(given.key("astana.public.json"));
  const order = given.deployment.keyOrder("astana");
  await given.deployment.keyStore.rotate(order);
  const whole = textOf(given.key("astana.public.json"));
  for (const left of [earlier, undefined]) {
    if (left === undefined) rmSync(given.key("astana.public.json"));
    else writeFileSync(given.key("astana.public.json"), left);
    expect(() => given.deployment.publicKeys("astana")).toThrow(problem("keys-half-written"));
    await expect(given.deployment.keys("astana")).rejects.toThrow(problem("keys-half-written"));
    expect(await given.deployment.keyStore.make(order)).toBe("kept");
    expect(textOf(given.key("astana.public.json"))).toBe(whole);
    await expect(given.deployment.keys("astana")).resolves.toBeDefined();
  }
});

test("an older encrypted file under a newer public one is no crash, and is refused", async () => {
  using given = await givenDeployment();
  await makeKeys(given, "astana");
  copyFileSync(given.key("astana.age"), given.key("older"));
  await given.deployment.keyStore.rotate(given.deployment.keyOrder("astana"));
  copyFileSync(given.key("older"), given.key("astana.age"));
  await expect(given.deployment.keys("astana")).rejects.toThrow(problem("keys-mismatch"));
  await expect(makeKeys(given, "astana")).rejects.toThrow(problem("keys-mismatch"));
});

test("where the second file cannot be written, the first is again as it was", async () => {
  using given = await givenDeployment();
  const files = new KeyFiles(given.key(""));
  // A folder in its place: no file can be renamed over it.
  mkdirSync(given.key("astana.public.json"), { recursive: true });
  expect(() => files.write("astana", undefined, "new", "public")).toThrow(/EISDIR/);
  expect(readdirSync(given.key(""))).toEqual(["astana.public.json"]);
  writeFileSync(given.key("astana.age"), "before");
  expect(() => files.write("astana", "before", "new", "public")).toThrow(/EISDIR/);
  expect(textOf(given.key("astana.age"))).toBe("before");
  expect(readdirSync(given.key("")).sort()).toEqual(["astana.age", "astana.public.json"]);
});

test("whenever a rotation is killed, `make` finds the keys whole, and they are the old or the new ones", async () => {
  using given = await givenDeployment();
  await makeKeys(given, "astana");
  const script = `
    import { Deployment } from "#infra/deployment/deployment.ts";
    const deployment = Deployment.of();
    const order = deployment.keyOrder("astana");
    for (;;) {
      await deployment.keyStore.rotate(order);
      await deployment.keyStore.finishRotation("astana");
      process.stdout.write("turned");
    }`;
  const turned: string[] = [];
  for (const afterMs of [1, 40, 90]) {
    const before = given.deployment.publicKeys("astana").authority;
    const rotating = spawn(process.execPath, ["--input-type=module", "--eval", script], {
      cwd: checkout,
      stdio: ["ignore", "pipe", "inherit"],
      env: {
        PATH: process.env["PATH"],
        QALQAN_DEPLOYMENT: given.folder,
        QALQAN_REGIONS: given.regions,
        QALQAN_KEYS_IDENTITY_FILE: given.identityFile,
      },
    });
    // From the end of a turn on it is somewhere within the next.
    await once(rotating.stdout, "data");
    await sleep(afterMs);
    rotating.kill("SIGKILL");
    await once(rotating, "close");
    await given.deployment.keyStore.make(given.deployment.keyOrder("astana"));
    const keys = await given.deployment.keys("astana");
    expect(keys.publicKeys("nats-leaf")).toContain(given.deployment.publicKeys("astana").nkeys["nats-leaf"]);
    const after = given.deployment.publicKeys("astana");
    expect(after.authority).not.toBe(before);
    turned.push(after.authority);
    if (after.previous !== null) await given.deployment.keyStore.finishRotation("astana");
  }
  expect(new Set(turned).size).toBe(turned.length);
});

test("keys that two people make at once are those of one of them, and the other is told", async () => {
  using given = await givenDeployment();
  const results = await Promise.allSettled([makeKeys(given, "astana"), makeKeys(given, "astana")]);
  expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  const refused = results.find(({ status }) => status === "rejected") as PromiseRejectedResult;
  expect(refused.reason).toEqual(problem("keys-changed"));
  await expect(given.deployment.keys("astana")).resolves.toBeDefined();
  expect(readdirSync(given.key("")).sort()).toEqual(["astana.age", "astana.public.json"]);
});

test("a name or a secret that is new is added, and everything else stays as it was", async () => {
  using given = await givenDeployment();
  await makeKeys(given, capitalSite);
  const before = await given.deployment.keys(capitalSite);
  writeFileSync(
    join(given.folder, "capital.yaml"),
    "sizeClass: small\nleafHost: hub.other.example\nleafPort: 443\ncluster: { context: elsewhere }\n",
  );
  await expect(given.deployment.keys(capitalSite)).rejects.toThrow(problem("keys-outdated"));
  expect(await given.deployment.keyStore.make(given.deployment.keyOrder(capitalSite))).toBe("completed");
  const after = await given.deployment.keys(capitalSite);
  expect(after.file("nats-certificate", "certificate")).not.toBe(
    before.file("nats-certificate", "certificate"),
  );
  expect(after.file("nats-certificate", "ca")).toBe(before.file("nats-certificate", "ca"));
  for (const secret of ["coordination-certificate", "nats-coordination", "postgres-password", "signing-key"])
    expect(after.file(secret)).toBe(before.file(secret));
});

test("an identity is never written over another, and its recipient joins the others on a line of its own", async () => {
  using given = await givenDeployment();
  const before = textOf(given.identityFile);
  await expect(given.deployment.access.makeIdentity(given.identityFile)).rejects.toThrow(
    problem("identity-exists"),
  );
  expect(textOf(given.identityFile)).toBe(before);
  const recipients = join(given.folder, "recipients.txt");
  writeFileSync(recipients, `# people\n${textOf(recipients).trim()}`);
  await given.deployment.access.makeIdentity(join(given.folder, "..", "second.txt"));
  expect(textOf(recipients)).toMatch(/^# people\nage1\w+\nage1\w+\n$/);
});

test("certificates are renewed in time, and are not rolled out when they are about to end", async () => {
  using given = await givenDeployment();
  await makeKeys(given, "astana");
  const before = await given.deployment.keys("astana");
  const end = Date.parse(given.deployment.publicKeys("astana").certificatesEndAt);
  vi.useFakeTimers({ toFake: ["Date"] });
  try {
    vi.setSystemTime(end - 59 * dayMs);
    await expect(given.deployment.keys("astana")).resolves.toBeDefined();
    vi.setSystemTime(end - 13 * dayMs);
    await expect(given.deployment.keys("astana")).rejects.toThrow(problem("keys-outdated"));
    vi.setSystemTime(end - 59 * dayMs);
    expect(await given.deployment.keyStore.make(given.deployment.keyOrder("astana"))).toBe("completed");
    vi.setSystemTime(end - 13 * dayMs);
    const after = await given.deployment.keys("astana");
    const part = (keys: typeof after, name: "ca" | "certificate") => keys.file("nats-certificate", name);
    expect(part(after, "ca")).toBe(part(before, "ca"));
    expect(part(after, "certificate")).not.toBe(part(before, "certificate"));
    expect(after.file("region-key")).toBe(before.file("region-key"));
  } finally {
    vi.useRealTimers();
  }
});
