import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ServiceError } from "@grpc/grpc-js";
import { afterEach, beforeEach, expect, test } from "vitest";
import { remoteErrorOf } from "#platform/grpc-client.ts";
import { regionStream } from "#proto/names.ts";
import { ScreenRequest, type ScreenResponse } from "#proto/qalqan/screening/v1/screening.ts";
import { lastOf, readiness, until } from "#test/replication/servers.ts";
import { entry, ownDirective, ScreenedRegion } from "./screening-service.ts";

let region: ScreenedRegion;

beforeEach(async () => {
  region = await ScreenedRegion.start();
});

afterEach(async () => {
  await region.stop();
});

const fraudster = "+442079460111";
const block = (id: string, number = fraudster) => ({ rows: [entry(number, "block", id)] });

test("what the nation blocks is blocked, live and after a restart, in any dialled form", async () => {
  await region.publish(block("almaty-1"));
  await region.startScreening();
  await region.untilApplied(1);
  for (const callingNumber of [fraudster, "00442079460111", "810 44 20 7946-0111", "+44 (20) 7946 0111"]) {
    const answer = await region.screen({ callingNumber });
    expect(answer).toMatchObject({
      verdict: "block",
      directive: "almaty-1",
      reason: "number",
      enforced: true,
    });
  }
  await region.publish(block("almaty-2", "+442079460222"));
  await until(async () => (await region.screen({ callingNumber: "+442079460222" })).verdict === "block");
  expect(await region.screen({})).toMatchObject({ verdict: "allow", reason: "no-match", mode: "enforce" });

  await region.screening.killAndRestart();
  await region.untilReady();
  expect((await region.screen({ callingNumber: "+442079460222" })).directive).toBe("almaty-2");
});

test("a replica answers from its snapshot before its server, centre and the capital are there, then goes on", async () => {
  await region.startScreening();
  await region.publish(block("almaty-1"));
  await region.untilApplied(1);
  await region.write("urgent", ownDirective("astana-1", "+442079460333", "divert"));
  await until(async () => (await region.screen({ callingNumber: "+442079460333" })).verdict === "divert");
  expect(await region.screening.stop("SIGTERM")).toBe(0);

  region.centreSays.overlay = undefined;
  await until(async () => (await lastOf(region.centre, regionStream.national(1))) === 1);
  await region.nation.regional.stop("SIGKILL");
  region.screening.start();
  await until(async () => (await region.screen({ callingNumber: fraudster })).directive === "almaty-1");
  expect((await region.screen({ callingNumber: "+442079460333" })).verdict).toBe("divert");
  expect((await region.readiness()).ready).toBe(false);
  // What it knew last protects more people than nothing; how old that is, it says.
  await until(async () => (await region.readiness()).ready);
  expect((await region.readiness()).why).toMatch(/streams do not answer: .* written down \d+ s ago/);
  // It answers what it was asked, also when it is stopped in that state.
  const stream = region.stream();
  const verdicts: string[] = [];
  stream.on("data", ({ verdict }: ScreenResponse) => verdicts.push(verdict));
  const ended = new Promise<ServiceError>((resolve) => stream.on("error", resolve));
  const question = ScreenRequest.fromPartial({
    ...{ callingNumber: fraudster, calledNumber: "+77010000001", trunk: "intl-1" },
  });
  for (let count = 0; count < 50; count += 1) stream.write(question);
  await until(() => verdicts.length > 0);
  // All of them have left this process.
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(await region.screening.stop("SIGTERM")).toBe(0);
  expect(remoteErrorOf(await ended)).toMatchObject({ message: "this replica stops" });
  expect(verdicts).toHaveLength(50);
  region.screening.start();
  await until(async () => (await region.readiness()).ready);

  region.nation.regional.start();
  await until(async () => (await region.readiness()).why === "");
  await region.publish(block("almaty-2", "+442079460222"));
  await until(async () => (await region.screen({ callingNumber: "+442079460222" })).verdict === "block");
});

test("a damaged snapshot is named and not used: everything is rebuilt from centre and the copy", async () => {
  await region.startScreening();
  await region.publish(block("almaty-1"));
  await region.untilApplied(1);
  await region.screening.stop("SIGTERM");
  const file = join(region.nation.folder, "state", "enforcement.snapshot");
  writeFileSync(file, readFileSync(file, "utf8").replace("almaty-1", "almaty-9"));

  await region.startScreening();
  await until(() => region.nation.log("screening").includes("snapshot-damaged"));
  expect((await region.screen({ callingNumber: fraudster })).directive).toBe("almaty-1");
});

test("between an own directive and the nation's decision on it there is never a gap", async () => {
  await region.startScreening();
  for (let round = 1; round <= 10; round += 1) {
    const number = `+4420794605${String(round).padStart(2, "0")}`;
    const id = `astana-${round}`;
    await region.write("urgent", ownDirective(id, number, "block"));
    await until(async () => (await region.screen({ callingNumber: number })).verdict === "block");
    let published = false;
    const decision = { region: region.nation.region, directive: id, revision: 1, decision: "accepted" };
    const publishing = region
      .publish({ rows: [entry(number, "block", id)], decisions: [decision] })
      .then(() => (published = true));
    const tables = new Set<string>();
    for (let last = false; !last;) {
      last = published && (await region.state()).nationalSequence >= round;
      const answer = await region.screen({ callingNumber: number, trial: true, explain: true });
      expect(answer.verdict).toBe("block");
      for (const { table } of answer.matches) tables.add(table);
    }
    await publishing;
    expect(await region.state()).toMatchObject({ overlayEntries: 0 });
    expect(tables).toContain("national");
  }
});

test("receipts tell at once what was applied, with the nation's digest, and never about themselves", async () => {
  await region.startScreening();
  const sequence = await region.publish(block("almaty-1"));
  const urgent = await region.write("urgent", ownDirective("astana-1", "+442079460333", "warn"));
  await until(async () => {
    const { receipts } = await region.written();
    const applied = receipts.flatMap((receipt) =>
      receipt.applied.map((each) => `${each.stream} ${each.sequence}`),
    );
    return applied.includes(`NATIONAL ${sequence}`) && applied.includes(`URGENT ${urgent}`);
  });
  const before = (await region.written()).receipts;
  const latest = before.at(-1);
  expect(latest).toMatchObject({ region: region.nation.region, replica: "screening-0", ready: true });
  expect(latest?.nationalSequence).toBe(sequence);
  expect(latest?.urgentSequence).toBe(urgent);
  expect(Buffer.compare(latest?.digest ?? Buffer.alloc(0), region.digest)).toBe(0);

  await new Promise((resolve) => setTimeout(resolve, 2_000));
  expect((await region.written()).receipts.length).toBeLessThanOrEqual(before.length + 1);

  await region.screening.stop("SIGTERM");
  expect((await region.written()).receipts.at(-1)?.ready).toBe(false);
});

test("a table that differs from the nation's is named, rebuilt once, and goes on answering", async () => {
  await region.startScreening();
  await region.publish(block("almaty-1"));
  await region.publish(block("almaty-2", "+442079460222"), true);
  await region.untilApplied(2);
  const ready = region.nation.ports.address("screening/http");
  await until(async () => (await readiness(ready)).why.includes("the digest differs since NATIONAL 2"));
  await until(() => region.nation.log("screening").includes("table-rebuilt"));
  expect((await region.screen({ callingNumber: "+442079460222" })).verdict).toBe("block");
  expect((await readiness(ready)).ready).toBe(true);

  await region.publish(block("almaty-3", "+442079460333"));
  await region.untilApplied(3);
  await until(async () => (await readiness(ready)).why === "");
  await until(() => region.nation.log("screening").includes("table-agrees-again"));
});

test("trunk modes and stop switches decide what the switch is told", async () => {
  await region.startScreening();
  await region.publish(block("almaty-1"));
  await region.untilApplied(1);
  const asked = { callingNumber: fraudster };
  expect(await region.screen({ ...asked, trunk: "nobody-knows" })).toMatchObject({
    ...{ verdict: "allow", decision: "block", mode: "shadow", enforced: false },
  });
  const stop = (stopped: boolean, revision: number) =>
    region.write("urgent", { $case: "regionStop", value: { revision, stopped, person: "p", carrier: "" } });
  await stop(true, 1);
  await until(async () => (await region.screen(asked)).mode === "stopped");
  expect(await region.screen(asked)).toMatchObject({ verdict: "allow", decision: "block", enforced: false });
  await stop(false, 2);
  await until(async () => (await region.screen(asked)).verdict === "block");
  const national = { stopped: true, person: "p", atMs: 1, revision: 2 };
  await region.publish({ rows: [{ row: { $case: "stop", value: national } }] });
  await until(async () => (await region.screen(asked)).mode === "stopped");
});

test("a live batch is enforced before the region's copy has it, and a restart keeps it while the copy is behind", async () => {
  await region.startScreening();
  await region.publish(block("almaty-1"));
  await until(async () => (await lastOf(region.centre, regionStream.national(1))) === 1);
  await region.replication.stop("SIGKILL");
  await region.publish(block("almaty-2", "+442079460222"));
  await until(async () => (await region.screen({ callingNumber: "+442079460222" })).verdict === "block");
  await region.screening.stop("SIGTERM");

  await region.startScreening();
  expect(await lastOf(region.centre, regionStream.national(1))).toBe(1);
  expect((await region.screen({ callingNumber: "+442079460222" })).verdict).toBe("block");
  await until(() => region.nation.log("screening").includes("copy-behind-snapshot"));

  region.replication.start();
  await until(async () => (await lastOf(region.centre, regionStream.national(1))) === 2);
  await region.screening.killAndRestart();
  await region.untilReady();
  expect((await region.screen({ callingNumber: "+442079460222" })).verdict).toBe("block");
  await until(async () => (await region.readiness()).why === "");
});

test("a snapshot of another history is named, and the table rebuilt from the region's copy", async () => {
  await region.startScreening();
  await region.publish(block("almaty-1"));
  await region.publish(block("almaty-2", "+442079460222"));
  await region.untilApplied(2);
  await region.screening.stop("SIGTERM");
  await region.replication.stop("SIGTERM");
  await region.beginNationAnew();
  await region.publish(block("almaty-3"));
  await region.publish(block("almaty-4", "+442079460444"));
  await region.publish(block("almaty-5", "+442079460555"));
  region.replication.start();
  await until(async () => (await lastOf(region.centre, regionStream.national(1))) === 3);

  await region.startScreening();
  await until(async () => (await region.screen({ callingNumber: fraudster })).directive === "almaty-3");
  await until(() => region.nation.log("screening").includes("snapshot-of-other-history"));
  expect((await region.screen({ callingNumber: "+442079460222" })).verdict).toBe("allow");
  await until(async () => (await readiness(region.nation.ports.address("screening/http"))).why === "");
});
