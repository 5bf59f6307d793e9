import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { capitalSite } from "#infra/blueprint/stack.ts";
import { Limit } from "#infra/local/limit.ts";
import { TestClusters } from "../clusters.ts";
import { Engine, EngineFailed, pulumi, type Program } from "./engine.ts";
import { LoadBalancers } from "./load-balancers.ts";
import { clusterNames, Nation } from "./nation.ts";

/** Each engine runs a provider and a program of its own. */
const enginesAtOnce = 3;
const minuteMs = 60_000;
const newRegion = "semey";
const newContext = "qalqan-semey";

const skipped = pulumi === undefined ? " (skipped: no pulumi on the path)" : "";

describe.skipIf(pulumi === undefined)(`the engine rolls out the nation${skipped}`, () => {
  let folder: string;
  let clusters: TestClusters;
  let loadBalancers: LoadBalancers;
  let nation: Nation;
  let engine: Engine;
  let capital: Program;
  let region: Program;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "qalqan-engine-"));
    clusters = await TestClusters.start(clusterNames);
    nation = new Nation(folder, clusters);
    await nation.addContexts();
    await nation.addContext(newContext, "south");
    loadBalancers = new LoadBalancers(clusters, clusterNames);
    engine = new Engine(pulumi ?? "", join(folder, "programs"), nation.environment);
    capital = engine.program("capital");
    region = engine.program("region");
    await nation.command("keys", "identity", "--out", nation.environment["QALQAN_KEYS_IDENTITY_FILE"] ?? "");
    await nation.command("keys", "make", "--all");
  });
  afterAll(async () => {
    await loadBalancers[Symbol.asyncDispose]();
    await clusters.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const programOf = (site: string): Program => (site === capitalSite ? capital : region);
  const sites = (): readonly string[] => [capitalSite, ...nation.regions()];

  /** The first time: with the volumes that nothing provides here, and with the engine's record of the stack. */
  async function rollOut(site: string): Promise<void> {
    await nation.makeVolumes(site);
    await programOf(site).init(site);
    await programOf(site).up(site);
    await nation.requireReady(site);
  }

  /** Does something for every site, for several at once. */
  async function forEverySite(act: (site: string) => Promise<void>): Promise<void> {
    const limit = new Limit(enginesAtOnce);
    const acts = sites().map(async (site) => {
      const leave = await limit.enter();
      try {
        await act(site);
      } finally {
        leave();
      }
    });
    // All have ended before the test does: an engine that is left alone would go on.
    for (const result of await Promise.allSettled(acts))
      if (result.status === "rejected") throw result.reason;
  }

  test(
    "`region add` leads to a twenty-first region with running workloads, and the hub lets it in without a restart",
    async () => {
      await rollOut(capitalSite);
      const hub = () => nation.ask(capitalSite, "get", "statefulset", "nats", "--output=jsonpath={.spec}");
      const accounts = () => nation.ask(capitalSite, "get", "configmap", "hub-accounts", "--output=json");
      const [hubBefore, regionsBefore] = [await hub(), nation.regions()];

      const names = ["--name-kk=Семей", "--name-ru=Семей", "--name-en=Semey"];
      const centre = ["--centre-kk=Семей", "--centre-ru=Семей", "--latitude=50.41", "--longitude=80.25"];
      const rest = ["--iso=KZ-64", "--area-codes=7999", "--wave=6", `--context=${newContext}`];
      const answer = await nation.command("region", "add", newRegion, ...names, ...centre, ...rest);
      expect(nation.regions().filter((slug) => !regionsBefore.includes(slug))).toEqual([newRegion]);
      const { next } = answer as { readonly next: readonly { readonly command: string }[] };
      expect(next.map(({ command }) => command)).toEqual(
        expect.arrayContaining([
          "pulumi -C infra/kubernetes/capital up --stack capital",
          `pulumi -C infra/kubernetes/region stack init ${newRegion}`,
          `pulumi -C infra/kubernetes/region up --stack ${newRegion}`,
        ]),
      );

      expect(await accounts()).not.toContain(newRegion);
      await capital.up(capitalSite);
      expect(await accounts()).toContain(newRegion);
      expect(await hub()).toBe(hubBefore);
      await rollOut(newRegion);
    },
    10 * minuteMs,
  );

  test(
    "`up` rolls out the capital and all regions, and what they are made of is the same",
    async () => {
      await forEverySite(async (site) => {
        if (![capitalSite, newRegion].includes(site)) await rollOut(site);
        // Those that are there already may know less of the nation.
        else await programOf(site).up(site);
        await nation.requireReady(site);
      });
      const hashes = await Promise.all(
        nation.regions().map(async (slug) => (await region.outputs(slug))["blueprintHash"]),
      );
      expect(hashes).toHaveLength(21);
      expect(new Set(hashes)).toEqual(new Set([expect.stringMatching(/^[0-9a-f]{64}$/)]));
      expect(await capital.outputs(capitalSite)).toMatchObject({
        release: "0.0.0-placeholder",
        endpoints: { "nats-edge": "192.0.2.1:7422" },
      });
    },
    30 * minuteMs,
  );

  test(
    "a second `up` changes nothing",
    async () => {
      await forEverySite(async (site) => {
        expect(await programOf(site).upWithoutChanges(site)).toMatch(/\d+ unchanged\n/);
      });
    },
    15 * minuteMs,
  );

  const violations = [
    {
      what: "an object",
      rule: "images-are-named-by-digest",
      object: "StatefulSet/screening",
      field: "spec.template.spec.containers[0].image",
      value: "registry.example/qalqan:latest",
    },
    {
      what: "all objects of a stack",
      rule: "namespaces-deny-all-traffic",
      object: "NetworkPolicy/deny-all",
      field: "spec.podSelector",
      value: { matchLabels: { "app.kubernetes.io/name": "nobody" } },
    },
  ] as const;
  test.each(violations)(
    "an `up` that breaks a rule about $what stops before anything is changed: $rule",
    async ({ rule, object, field, value }) => {
      const [kind, name] = object.split("/");
      const asItIs = () => nation.ask(newRegion, "get", `${kind}`, `${name}`, "--output=json");
      const before = await asItIs();
      const changed = engine.regionProgram(
        rule,
        fileURLToPath(new URL("./changed-region.ts", import.meta.url)),
      );
      await changed.configure(newRegion, "test:object", object);
      await changed.configure(newRegion, "test:field", field);
      await changed.configure(newRegion, "test:value", JSON.stringify(value));
      const stopped = changed.up(newRegion);
      await expect(stopped).rejects.toThrow(EngineFailed);
      await expect(stopped).rejects.toThrow(new RegExp(`\\[mandatory\\] +${rule} .*\n[^]*preview failed`));
      expect(await asItIs()).toBe(before);
    },
    5 * minuteMs,
  );
});
