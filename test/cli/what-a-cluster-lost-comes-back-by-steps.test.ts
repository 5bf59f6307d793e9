import { copyFileSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { regionsFolder } from "#infra/blueprint/regions.ts";
import { placeholderRelease } from "#infra/deployment/release.ts";
import type { Manifest } from "#infra/kubernetes/manifest.ts";
import { temporaryFolder } from "#test/infra/small-nation.ts";
import { runCli } from "./run-cli.ts";

const root = temporaryFolder();
const folder = join(root.path, "deployment");

beforeAll(() => {
  mkdirSync(folder);
  mkdirSync(join(root.path, "regions"));
  copyFileSync(join(regionsFolder, "astana.yaml"), join(root.path, "regions", "astana.yaml"));
  writeFileSync(join(folder, "release.json"), JSON.stringify(placeholderRelease));
});
afterAll(() => root[Symbol.dispose]());

interface Told {
  readonly file: string;
  readonly next: readonly { readonly command: string; readonly why: string }[];
}

async function told(...words: string[]): Promise<Told> {
  const where = ["--deployment", folder, "--regions-folder", join(root.path, "regions")];
  const { code, stdout, stderr } = await runCli(...words, ...where, "--json");
  if (code !== 0) throw new Error(`${stdout}${stderr}`);
  return JSON.parse(stdout) as Told;
}

/** Without what all have in front. */
const kubectl = ({ next }: Told) =>
  next
    .map(({ command }) => command)
    .filter((command) => command.startsWith("kubectl"))
    .map((command) => command.replace(/^kubectl --context \S+ -n \S+ /, ""));

test("a restore is steps for kubectl: nobody writes, the pod puts a base backup back, all goes on", async () => {
  const steps = await told("restore", "astana", "--until", "2026-12-31T18:00:00Z");
  expect(steps.next.at(-1)?.command).toBe("npx qalqan status");
  expect(kubectl(steps)).toEqual([
    "scale deployment/centre --replicas=0",
    "wait pod --for=delete -l app.kubernetes.io/name=centre --timeout=2h",
    "scale statefulset/postgres --replicas=0",
    "wait pod --for=delete -l app.kubernetes.io/name=postgres --timeout=2h",
    `apply --server-side -f ${steps.file}`,
    "wait pod/restore-postgres --for=jsonpath='{.status.phase}'=Succeeded --timeout=2h",
    "logs restore-postgres",
    "delete pod restore-postgres",
    "scale statefulset/postgres --replicas=1",
    "rollout status statefulset/postgres --timeout=2h",
    "scale deployment/centre --replicas=1",
    "rollout status deployment/centre --timeout=2h",
  ]);
  expect(statSync(steps.file).mode & 0o077).toBe(0);
  const objects = parseAllDocuments(readFileSync(steps.file, "utf8")).map((each) => each.toJS() as Manifest);
  expect(objects.map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`)).toEqual([
    "PersistentVolumeClaim qalqan-astana/database-postgres-0",
    "PersistentVolumeClaim qalqan-astana/backup-postgres-0",
    "Pod qalqan-astana/restore-postgres",
  ]);
  expect(readFileSync(steps.file, "utf8")).toContain("value: 2026-12-31T18:00:00.000+00");
});

test("a rebuild stops everything, makes the volumes of copies anew, and begins with the servers", async () => {
  for (const words of [
    ["rebuild", "region", "astana"],
    ["rebuild", "capital"],
  ]) {
    const commands = kubectl(await told(...words));
    const at = (text: string) => commands.findIndex((command) => command.startsWith(text));
    expect(at("delete pvc -l app.kubernetes.io/name=nats")).toBeGreaterThan(at("wait pod --for=delete"));
    expect(commands.filter((command) => command.startsWith("delete pvc")).join()).not.toContain("postgres");
    expect(at("scale statefulset/nats --replicas=0")).toBeLessThan(at("delete pvc"));
    const restarts = commands.filter((command) => /^scale .*=[1-9]/.test(command));
    expect(restarts.slice(0, 2).join()).toMatch(/nats.*postgres/);
    expect(restarts.length).toBe(commands.filter((command) => /^scale .*=0$/.test(command)).length);
  }
});

test("what is only for this machine is refused", async () => {
  rmSync(join(folder, "restore-astana.yaml"), { force: true });
  await expect(told("restore", "astana", "--from", "/mnt/backups")).rejects.toThrow(
    "--from is for the run on this machine",
  );
});
