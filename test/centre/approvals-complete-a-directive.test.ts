import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "#test/replication/servers.ts";
import { carrier, CentreService, dayMs, operator, prosecutor, secondOperator } from "./centre-service.ts";

describe("an approval", () => {
  let service: CentreService;
  beforeAll(async () => {
    service = await CentreService.start();
  });
  afterAll(() => service.stop());

  const approvals = async () =>
    (await service.lane("urgent")).flatMap(({ body }) => (body?.$case === "approval" ? [body.value] : []));

  test("of all that is missing completes a directive, and its event says so once", async () => {
    const held = await service.issue(prosecutor, {
      number: "+77011234567",
      expiresAtMs: Date.now() + 5 * dayMs,
    });
    expect(held).toMatchObject({ state: "held", missing: ["second-region", "carrier"] });
    await expect(service.approve(prosecutor, { directive: held.id })).rejects.toMatchObject({
      code: "forbidden",
    });
    await expect(service.approve(operator, { directive: held.id })).rejects.toMatchObject({
      code: "forbidden",
    });
    const { directive } = await service.approve(carrier, { directive: held.id });
    expect(directive).toMatchObject({ state: "regional", missing: [] });
    const again = await service.approve(carrier, { directive: held.id });
    expect(again.directive).toMatchObject({ state: "regional" });
    await until(async () => (await approvals()).length > 0);
    expect(await approvals()).toMatchObject([
      {
        directive: held.id,
        revision: 1,
        kind: "carrier",
        person: carrier.id,
        approved: true,
        complete: true,
      },
    ]);
    expect(directive?.story.map(({ what }) => what)).toEqual(["accepted", "approved"]);
  });

  test("that refuses rejects for good", async () => {
    const held = await service.issue(operator, { range: "+442079460000-+442079469999" });
    expect(held).toMatchObject({ state: "held", missing: ["second-person"] });
    const { directive } = await service.approve(prosecutor, { directive: held.id }, false);
    expect(directive).toMatchObject({ state: "rejected", stateReason: "refused", settled: true });
    await expect(service.approve(prosecutor, { directive: held.id })).rejects.toMatchObject({
      code: "conflict",
    });
  });

  test("names the revision that was seen", async () => {
    const held = await service.issue(operator, { range: "+443079460000-+443079469999" });
    const request = { directive: held.id, batch: "", approve: true, kind: "", revision: 7 };
    await expect(service.as(prosecutor, "decideApproval", request)).rejects.toMatchObject({
      code: "conflict",
      field: "revision",
    });
  });

  test("is given to one of directive and batch", async () => {
    await expect(service.approve(prosecutor, {})).rejects.toMatchObject({ code: "invalid-subject" });
    await expect(service.approve(prosecutor, { directive: "astana-01K" })).rejects.toMatchObject({
      code: "not-found",
    });
    await expect(service.approve(prosecutor, { batch: "astana-01K" })).rejects.toMatchObject({
      code: "not-found",
    });
  });

  test("of another region's directive is written here, as the second region, when the capital says that it waits", async () => {
    const directive = "almaty-01K0000000000000000000000A";
    await expect(service.approve(prosecutor, { directive })).rejects.toMatchObject({ code: "not-found" });
    await service.national({
      decisions: [
        {
          region: "almaty",
          directive,
          revision: 2,
          decision: "held",
          reason: "approval",
          missing: ["second-region"],
        },
      ],
    });
    await until(async () => {
      await service.approve(prosecutor, { directive });
      return true;
    });
    await expect(service.approve(secondOperator, { directive })).rejects.toMatchObject({ code: "forbidden" });
    await expect(service.approve(carrier, { directive })).rejects.toMatchObject({
      code: "conflict",
      field: "kind",
    });
    await service.approve(prosecutor, { directive });
    await until(async () => (await approvals()).some((each) => each.directive === directive));
    const given = (await approvals()).filter((each) => each.directive === directive);
    expect(given).toMatchObject([
      { revision: 2, kind: "second-region", region: "astana", approved: true, complete: false },
    ]);
  });

  test("of another region's batch is written here in the same way, and the capital judges it", async () => {
    const batch = "almaty-01K0000000000000000000000B";
    await expect(service.approve(secondOperator, { batch })).rejects.toMatchObject({ code: "forbidden" });
    const { batch: view } = await service.approve(prosecutor, { batch });
    expect(view).toMatchObject({ batch, state: "held" });
    await service.approve(prosecutor, { batch });
    await until(async () => (await approvals()).some((each) => each.batch === batch));
    expect((await approvals()).filter((each) => each.batch === batch)).toMatchObject([
      {
        directive: "",
        revision: 1,
        kind: "second-region",
        region: "astana",
        approved: true,
        complete: false,
      },
    ]);
  });

  test("of another region and one of this region are seen together: only what both lack is missing", async () => {
    const held = await service.issue(operator, {
      number: "+77011234569",
      expiresAtMs: Date.now() + 5 * dayMs,
    });
    expect(held.missing).toEqual(["second-person", "second-region", "carrier"]);
    const told = { directive: held.id, decision: "held", reason: "approval", missing: ["second-person"] };
    await service.decide([told]);
    await until(async () => (await service.view(held.id)).missing.length === 1);
    expect((await service.view(held.id)).missing).toEqual(["second-person"]);
    const { directive } = await service.approve(prosecutor, { directive: held.id });
    // Complete, but only the capital knows: its word is waited for.
    expect(directive).toMatchObject({ state: "held", missing: [], settled: false });
    await service.decide([{ directive: held.id, decision: "accepted" }]);
    await until(async () => (await service.view(held.id)).state === "national");
  });

  test("of the capital makes a held directive national, also when it was given elsewhere", async () => {
    const held = await service.issue(prosecutor, {
      number: "+77011234568",
      expiresAtMs: Date.now() + 5 * dayMs,
    });
    await service.decide([
      { directive: held.id, decision: "held", reason: "approval", missing: ["carrier"] },
    ]);
    await until(async () => (await service.view(held.id)).nationalRevision > 0);
    expect(await service.view(held.id)).toMatchObject({ state: "held", stateReason: "approval" });
    const sequence = await service.decide([{ directive: held.id, decision: "accepted" }]);
    await until(async () => (await service.view(held.id)).state === "national");
    expect(await service.view(held.id)).toMatchObject({ nationalRevision: sequence, missing: [] });
  });
});
