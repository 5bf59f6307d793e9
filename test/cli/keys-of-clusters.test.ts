import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { loadRegions } from "#infra/blueprint/regions.ts";
import { Deployment } from "#infra/deployment/deployment.ts";
import { runCli } from "./run-cli.ts";

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "qalqan-keys-cli-test-"));
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true, force: true });
});

const run = async (...words: readonly string[]) => {
  const { code, stdout, stderr } = await runCli(...words, "--deployment", join(root, "deployment"), "--json");
  return { code, stderr, answer: JSON.parse(stdout) as Record<string, unknown> };
};

test("keys are made after an identity, of which the command says how it is used", async () => {
  const { code, answer } = await run("keys", "make", "capital");
  expect(code).toBe(1);
  expect(answer).toMatchObject({
    error: { code: "recipients-missing", remedy: expect.stringContaining("keys identity --out") },
  });
  const file = join(root, "identity.txt");
  const made = await runCli("keys", "identity", "--out", file, "--deployment", join(root, "deployment"));
  expect(made).toMatchObject({ code: 0, stderr: "" });
  expect(made.stdout).toContain(`export QALQAN_KEYS_IDENTITY_FILE=${file}`);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readFileSync(file, "utf8")).toMatch(/^# created: .*\n# public key: age1\w+\nAGE-SECRET-KEY-1\w+\n$/);
});

test("an identity that lies beside the keys is made, and the danger is said", async () => {
  const { code, stderr } = await run("keys", "identity", "--out", join(root, "deployment", "identity.txt"));
  expect(code).toBe(0);
  expect(stderr).toContain("beside the keys");
});

test("all sites get keys in one command, and keep them in the next", async () => {
  const sites = ["capital", ...loadRegions().map(({ slug }) => slug)];
  const first = await run("keys", "make", "--all");
  expect(first.code).toBe(0);
  expect(first.answer["sites"]).toEqual(
    sites.map((site) => ({ site, result: "made", fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/) })),
  );
  const refused = await run("keys", "make", "--all");
  expect(refused).toMatchObject({ code: 1, answer: { error: { code: "identity-missing" } } });
  vi.stubEnv("QALQAN_KEYS_IDENTITY_FILE", join(root, "identity.txt"));
  const second = await run("keys", "make", "--all");
  expect(second.answer["sites"]).toEqual(
    (first.answer["sites"] as object[]).map((each) => ({ ...each, result: "kept" })),
  );
});

test("what is shown are public parts alone", async () => {
  const { answer } = await run("keys", "show", "astana");
  const deployment = Deployment.of({ deployment: join(root, "deployment") });
  const keys = await deployment.keys("astana");
  expect(answer).toMatchObject({ site: "astana", fingerprint: deployment.publicKeys("astana").fingerprint });
  const { stdout } = await runCli("keys", "show", "astana", "--deployment", join(root, "deployment"));
  expect(stdout).toContain(keys.publicKeys("nats-leaf")[0]);
  for (const secret of ["nats-leaf", "region-key", "postgres-password"]) {
    expect(stdout).not.toContain(keys.file(secret));
    expect(JSON.stringify(answer)).not.toContain(keys.file(secret));
  }
});

test("a rotation says its steps in their order, and its end those after it", async () => {
  const rotated = await run("keys", "rotate", "astana");
  expect(rotated.answer).toMatchObject({ site: "astana", state: "rotating" });
  const commands = (answer: Record<string, unknown>) =>
    (answer["next"] as { command: string }[]).map(({ command }) => command);
  expect(commands(rotated.answer).slice(-3)).toEqual([
    "pulumi -C infra/kubernetes/capital up --stack capital",
    "pulumi -C infra/kubernetes/region up --stack astana",
    "npx qalqan keys rotate astana --finish",
  ]);
  expect(await run("keys", "rotate", "astana")).toMatchObject({
    code: 1,
    answer: { error: { code: "rotation-unfinished" } },
  });
  const finished = await run("keys", "rotate", "astana", "--finish");
  expect(finished.answer).toMatchObject({ site: "astana", state: "made" });
  expect(commands(finished.answer)).toContain("pulumi -C infra/kubernetes/capital up --stack capital");
});

test.each([
  ["neither a site nor all", ["make"], 2, { code: "wrong-use", field: "site" }],
  ["a site and all", ["make", "astana", "--all"], 2, { code: "wrong-use", field: "site" }],
  ["a site that there is not", ["make", "nowhere"], 1, { code: "unknown-site", field: "site" }],
  ["the keys of a site that there is not", ["show", "nowhere"], 1, { code: "keys-missing", field: "keys" }],
  ["the end of no rotation", ["rotate", "almaty", "--finish"], 1, { code: "no-rotation", field: "site" }],
])("%s is refused", async (_, words, code, error) => {
  expect(await run("keys", ...words)).toMatchObject({ code, answer: { error } });
});

test("one file that cannot be opened stops all before any is touched", async () => {
  const file = join(root, "deployment", "keys", "west-kazakhstan.age");
  const content = readFileSync(file, "utf8");
  rmSync(join(root, "deployment", "keys", "astana.public.json"));
  writeFileSync(file, content.slice(0, 200));
  const { answer } = await run("keys", "make", "--all");
  expect(answer).toMatchObject({ error: { code: "keys-damaged", value: file } });
  // The other one would have been mended.
  expect(() => statSync(join(root, "deployment", "keys", "astana.public.json"))).toThrow("ENOENT");
});
