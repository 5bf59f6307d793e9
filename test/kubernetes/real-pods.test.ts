import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { capitalStack } from "#infra/blueprint/capital-stack.ts";
import { regionalStack } from "#infra/blueprint/regional-stack.ts";
import { loadRegions } from "#infra/blueprint/regions.ts";
import { capitalSite, type Stack } from "#infra/blueprint/stack.ts";
import type { Manifest } from "#infra/kubernetes/manifest.ts";
import { edgeService, label, namespaceOf, portNumber } from "#infra/kubernetes/names.ts";
import { operator, regionPeople } from "#infra/local/people.ts";
import { checkout } from "#test/house/sources.ts";
import { builtImages } from "#test/image/built-images.ts";
import { temporaryFolder } from "../infra/small-nation.ts";
import type { DirectiveDocument, ScreenDocument } from "../nation/running-nation.ts";
import { RealNode } from "./real-node/real-node.ts";
import { whyNoRealNode } from "./real-node/requirements.ts";
import { addressOf, NodeDeployment, type ClientFiles } from "./real-pods/deployment.ts";
import { podsOf, restarted } from "./real-pods/pods.ts";
import { doorsOf, openDoors, titleOfDoor, type Door } from "./real-pods/reach.ts";
import { Switch, type Question } from "./real-pods/switch.ts";
import type { TrunkWish } from "./real-pods/trunk-program.ts";

const why = whyNoRealNode();
const [region, joining] = ["astana", "almaty"];
const [home, capitalHome] = [namespaceOf(region), namespaceOf(capitalSite)];
const readyWaitMs = 180_000;
/** A look costs a process: more of them would take the processors from what is looked at. */
const patience = { timeout: readyWaitMs, interval: 500 };
const seconds = (beganAtMs: number) => ((performance.now() - beganAtMs) / 1_000).toFixed(1);

const fraudster = "+442079460958";
const later = "+442079460959";
const citizen = "+77172123456";
const trunk = "intl-1";
const questions: readonly Question[] = [
  { from: fraudster, to: citizen, trunk, verdict: "block" },
  { from: "+442079460001", to: citizen, trunk, verdict: "allow" },
];

describe.skipIf(why !== undefined)(`real pods${why === undefined ? "" : ` (skipped: ${why})`}`, () => {
  const held = new AsyncDisposableStack();
  let node: RealNode;
  let deployment: NodeDeployment;
  let person: ClientFiles;
  let token: string;
  let directive: DirectiveDocument;

  beforeAll(async () => {
    const folder = held.use(temporaryFolder()).path;
    const { files, release } = await builtImages();
    const images = (["qalqan", "nats", "postgres"] as const).map((name) => ({
      file: files[name],
      reference: release.images[name],
    }));
    deployment = await NodeDeployment.make(join(folder, "nation"), release);
    await deployment.addRegion(region);
    const beganAtMs = performance.now();
    node = held.use(await RealNode.start({ dataFolder: join(folder, "node"), images }));
    console.info(`  the node was ready after ${seconds(beganAtMs)} s`);
    person = await deployment.clientOf(region, "people");
    token = await deployment.tokenOf(operator(region, 1));
  });

  afterAll(() => held.disposeAsync());

  async function rollOut(manifests: readonly Manifest[]): Promise<void> {
    await node.makeVolumes(manifests);
    await node.apply(manifests);
  }

  /** A command of `qalqan`, given by a person in the node's network. */
  async function qalqan<Document>(service: "centre" | "screening", ...words: string[]): Promise<Document> {
    const main = join(checkout, "services", "cli", "main.ts");
    const { ca, cert, key } = person;
    const place = ["--server", addressOf(region, service, "grpc"), "--ca", ca, "--cert", cert, "--key", key];
    const command = [process.execPath, main, ...place, "--token", token, "--json", ...words];
    return JSON.parse(await node.runInside(command)) as Document;
  }

  const issue = (number: string) =>
    qalqan<DirectiveDocument>(
      "centre",
      ...["directive", "issue", "--region", region, "--number", number, "--action", "block"],
      ...["--reason", "fraud", "--expires", "6d", "--wait", "60"],
    );

  const screen = (number: string) =>
    qalqan<ScreenDocument>(
      "screening",
      ...["screen", "--region", region, "--from", number, "--to", citizen, "--trunk", trunk],
    );

  const startSwitch = () =>
    Switch.start(node, {
      address: addressOf(region, edgeService("screening"), "grpc"),
      serverName: deployment.publicHost(region),
      client: person,
      questions,
    });

  test("the capital and a region become ready, and nothing fails on the way", async () => {
    const beganAtMs = performance.now();
    for (const site of [capitalSite, region]) await rollOut(await deployment.manifests(site));
    const count = async () => (await podsOf(node, home, "screening")).length;
    // The autoscaler does that by itself, to the least there must be.
    await expect.poll(count, patience).toBe(2);
    console.info(`  screening was raised to 2 replicas after ${seconds(beganAtMs)} s`);
    for (const namespace of [capitalHome, home]) await node.untilReady(namespace, readyWaitMs);
    console.info(`  both sites were ready after ${seconds(beganAtMs)} s`);
    const pods = [...(await podsOf(node, capitalHome)), ...(await podsOf(node, home))];
    expect(restarted(pods)).toEqual([]);
    const enforced = "jsonpath={.items[*].metadata.labels.pod-security\\.kubernetes\\.io/enforce}";
    const both = await node.kubectl([
      "get",
      "namespaces",
      `--selector=${label.partOf}=qalqan`,
      "--output",
      enforced,
    ]);
    expect(both).toBe("restricted restricted");
  });

  test("a directive issued in the region is enforced there, and shows its receipt", async () => {
    const carrier = regionPeople(region).find(({ role }) => role === "carrier");
    if (carrier?.carrier === undefined) throw new Error("no carrier");
    const wish: TrunkWish = {
      address: addressOf(region, "centre", "grpc"),
      client: person,
      token: await deployment.tokenOf(carrier),
      trunk,
      operator: carrier.carrier,
    };
    const program = fileURLToPath(new URL("./real-pods/trunk-program.ts", import.meta.url));
    await node.runInside([process.execPath, program, JSON.stringify(wish)]);
    directive = await issue(fraudster);
    expect(directive).toMatchObject({ state: "national", missing: [], target: fraudster });
    expect(directive.receipts).toMatchObject([{ region, state: "enforced" }]);
    console.info(`  enforced ${directive.receipts[0]?.milliseconds} ms after it was accepted`);
    expect(await screen(fraudster)).toMatchObject({ verdict: "block", directive: directive.id });
  });

  test("pods reach what the blueprint's arrows name, and nothing else", async () => {
    const stacks = [stackOf(region), capitalStack("small")];
    const doors = (await Promise.all(stacks.map((stack) => doorsOf(node, stack)))).flat();
    // Beside the servers of others, which have no Node, runs a companion.
    const askers: Readonly<Record<string, string>> = {
      [`${region}/postgres`]: "keeper",
      "capital/postgres": "keeper",
      "capital/nats": "reloader",
    };
    const asking = stacks.flatMap((stack) =>
      stack.workloads.map(async ({ name, program }) => {
        const namespace = namespaceOf(stack.site);
        const container = program.kind === "service" ? name : askers[`${stack.site}/${name}`];
        if (container === undefined) return;
        const [pod] = await podsOf(node, namespace, name);
        if (pod === undefined) throw new Error(`${stack.site}/${name} has no pod`);
        // To itself a pod may speak.
        const others = doors.filter((door) => door.site !== stack.site || door.workload !== name);
        const open = await openDoors(node, { namespace, name: pod.name }, container, others);
        expect.soft(open, `${stack.site}/${name}`).toEqual(named(stack, name, others));
      }),
    );
    await Promise.all(asking);
  });

  test("a screening process that is killed comes back, and the other replica answers meanwhile", async () => {
    using client = await startSwitch();
    const pods = await podsOf(node, home, "screening");
    const beganAtMs = performance.now();
    await node.killProcessOf({ namespace: home, name: "screening-0" }, "screening");
    const answers = () => client.report.byReplica["screening-1"] ?? 0;
    const before = answers();
    await expect.poll(answers, patience).toBeGreaterThan(before);
    const restarts = async () => (await podsOf(node, home, "screening"))[0]?.restarts["screening"];
    await expect.poll(restarts, patience).toBe(1);
    await node.untilReady(home, readyWaitMs);
    console.info(`  the killed replica was ready again after ${seconds(beganAtMs)} s`);
    const after = await podsOf(node, home, "screening");
    expect(after.map(({ uid }) => uid)).toEqual(pods.map(({ uid }) => uid));
    expect(restarted(after)).toEqual(["screening-0/screening: 1"]);
    expect(await screen(fraudster)).toMatchObject({ verdict: "block", directive: directive.id });
    expectAllAnswered(await client.stop());
  });

  test("a rolling restart under traffic loses no call", async () => {
    using client = await startSwitch();
    const before = [...(await podsOf(node, home)), ...(await podsOf(node, capitalHome))];
    const restart = async (namespace: string, ...workloads: string[]) => {
      const beganAtMs = performance.now();
      await node.kubectl(["rollout", "restart", `--namespace=${namespace}`, ...workloads]);
      for (const workload of workloads)
        await node.kubectl(["rollout", "status", `--namespace=${namespace}`, "--timeout=180s", workload]);
      await node.untilReady(namespace, readyWaitMs);
      console.info(`  ${workloads.join(", ")}: restarted after ${seconds(beganAtMs)} s`);
    };
    await restart(home, "statefulset/screening");
    await Promise.all([
      restart(home, "deployment/centre", "deployment/replication"),
      restart(capitalHome, "deployment/coordination"),
      node.kubectl(["delete", "pod", `--namespace=${capitalHome}`, "nats-1"]),
    ]);
    await node.untilReady(capitalHome, readyWaitMs);
    const after = [...(await podsOf(node, home)), ...(await podsOf(node, capitalHome))];
    const same = before.filter(({ uid }) => after.some((pod) => pod.uid === uid));
    expect(same.map(({ workload, name }) => (workload === "nats" ? name : workload)).toSorted()).toEqual([
      "nats-0",
      "nats-0",
      "nats-2",
      "postgres",
      "postgres",
    ]);
    expect(restarted(after)).toEqual([]);
    const report = await client.stop();
    expect(Object.keys(report.byReplica).toSorted()).toEqual(["screening-0", "screening-1"]);
    expectAllAnswered(report);
    expect(await screen(fraudster)).toMatchObject({ verdict: "block", directive: directive.id });
    const next = await issue(later);
    expect(next.receipts).toMatchObject([{ region, state: "enforced" }]);
  });

  test("a region that joins is let in by a reload: no node of the hub restarts", async () => {
    const hubBefore = await podsOf(node, capitalHome, "nats");
    await deployment.addRegion(joining);
    // All of its line: its server of NATS, and what that needs.
    const line = (await deployment.manifests(joining)).filter(
      ({ kind, metadata }) =>
        ["Namespace", "PriorityClass", "NetworkPolicy"].includes(kind) ||
        metadata.labels?.[label.name] === "nats",
    );
    await rollOut(line);
    await node.untilReady(namespaceOf(joining), readyWaitMs);
    const [server] = await podsOf(node, namespaceOf(joining), "nats");
    const linesOf = async (address: string) =>
      (await monitor<{ leafs: readonly { id: number }[] }>(address, "leafz")).leafs.map(({ id }) => id);
    const [ownServer] = await podsOf(node, home, "nats");
    const ownLine = await linesOf(ownServer?.address ?? "");
    expect(ownLine).toHaveLength(1);
    const lines = async () => linesOf(server?.address ?? "");
    expect(await lines()).toEqual([]);

    const beganAtMs = performance.now();
    await rollOut(await deployment.manifests(capitalSite));
    await expect.poll(lines, patience).toHaveLength(1);
    console.info(`  the line of the new region was there after ${seconds(beganAtMs)} s`);
    await node.untilReady(capitalHome, readyWaitMs);
    const hub = await podsOf(node, capitalHome, "nats");
    const identity = ({ name, uid, restarts }: (typeof hub)[number]) => ({ name, uid, restarts });
    expect(hub.map(identity)).toEqual(hubBefore.map(identity));
    // The line of the region that was there before was not even interrupted.
    expect(await linesOf(ownServer?.address ?? "")).toEqual(ownLine);
    for (const { address } of hub) {
      const accounts = async () =>
        (await monitor<{ accounts: readonly string[] }>(address, "accountz")).accounts;
      // Each node has its files from its own kubelet, some seconds apart.
      await expect.poll(accounts, patience).toContain(`REGION-${joining}`);
    }
  });

  /** What a server of NATS says of itself. */
  async function monitor<Answer>(address: string, what: string): Promise<Answer> {
    const url = `http://${address}:${portNumber("monitor")}/${what}`;
    const program = `process.stdout.write(await (await fetch(${JSON.stringify(url)})).text())`;
    return JSON.parse(
      await node.runInside([process.execPath, "--input-type=module", "--eval", program]),
    ) as Answer;
  }
});

function expectAllAnswered(report: Awaited<ReturnType<Switch["stop"]>>): void {
  console.info(`  the switch: ${JSON.stringify(report)}`);
  // A replica that answers `overloaded` on a busy machine does what it promises: the call goes on.
  const { asked, answered, unanswered, wrong } = report;
  expect({ answered, unanswered, wrong }).toEqual({ answered: asked, unanswered: 0, wrong: [] });
}

function stackOf(slug: string): Stack {
  const found = loadRegions().find((each) => each.slug === slug);
  if (found === undefined) throw new Error(`no region ${slug}`);
  return regionalStack({ ...found, sizeClass: "small" });
}

/** Doors to which the arrows of a workload lead. */
function named(stack: Stack, workload: string, doors: readonly Door[]): readonly string[] {
  const arrows = stack.arrows.filter(({ from }) => from === workload);
  const allowed = new Set(arrows.map(({ to }) => titleOfDoor({ site: to.site ?? stack.site, ...to })));
  return doors.map((door) => titleOfDoor(door)).filter((title) => allowed.has(title));
}
