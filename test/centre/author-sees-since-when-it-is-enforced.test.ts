import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { read } from "#platform/grpc-client.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { hubSubject } from "#proto/names.ts";
import type { DirectiveView } from "#proto/qalqan/centre/v1/centre.ts";
import { until } from "#test/replication/servers.ts";
import { CentreService, operator } from "./centre-service.ts";
import { hearCapital } from "./hear-capital.ts";

describe("the author of a directive", () => {
  let service: CentreService;
  let capital: NatsConnection;
  let hearing: NodeJS.Timeout;
  beforeAll(async () => {
    service = await CentreService.start();
    capital = await service.servers.connect("coordination");
    hearing = hearCapital(capital);
  });
  afterAll(async () => {
    clearInterval(hearing);
    await service.stop();
  });

  const ofRegion = (view: DirectiveView, region: string) =>
    view.receipts.find((each) => each.region === region);
  /** How often the centre looks for what was reached (ms). */
  const lookEveryMs = 1_000;
  const waiting = { revision: 1, state: "waiting", enforcedAtMs: 0 };

  test("sees every region of the nation, also before the capital has decided anything", async () => {
    const rows = ["astana", "almaty", "mangystau"].map((region) => ({ region, state: "waiting" }));
    await service.forRegion({ enforcements: rows });
    await until(async () => {
      const trial = await service.issue(operator, { number: "+442079460000", dryRun: true });
      return trial.receipts.length === 3;
    });
    const trial = await service.issue(operator, { number: "+442079460000", dryRun: true });
    expect(trial.receipts.map(({ region, state }) => [region, state])).toEqual([
      ["almaty", "waiting"],
      ["astana", "waiting"],
      ["mangystau", "waiting"],
    ]);
  });

  test("watches it become enforced, region by region", async () => {
    const issued = await service.issue(operator, { number: "+442079460001" });
    const views: DirectiveView[] = [];
    const call = service.client.watchDirective({ id: issued.id }, await service.metadata(operator));
    const watching = (async () => {
      for await (const view of read<DirectiveView>(call)) {
        views.push(view);
        if (view.settled) return;
      }
    })();
    await until(() => views.length >= 1);
    await until(async () => (await service.lane("urgent")).length === 1);
    await service.receipt({ urgent: 1 });
    await until(() => ofRegion(views.at(-1) ?? issued, "astana")?.state === "enforced");
    expect(views.at(-1)).toMatchObject({ state: "regional", settled: false });

    const sequence = await service.decide([{ directive: issued.id, decision: "accepted" }]);
    await service.forRegion({
      enforcements: ["astana", "almaty", "mangystau"].map((region) => ({
        ...{ directive: issued.id, region, nationalSequence: sequence },
        ...waiting,
      })),
    });
    await until(() => views.at(-1)?.receipts.length === 3 && views.at(-1)?.state === "national");
    expect(views.at(-1)).toMatchObject({ state: "national", nationalRevision: sequence, settled: false });
    const enforcedAtMs = issued.acceptedAtMs + 17;
    const enforced = { directive: issued.id, revision: 1, nationalSequence: sequence };
    await service.forRegion({
      enforcements: [
        { ...enforced, region: "almaty", state: "enforced", enforcedAtMs },
        { ...enforced, region: "mangystau", state: "cut-off" },
      ],
    });
    await watching;
    expect(views.at(-1)).toMatchObject({
      settled: true,
      receipts: [
        { region: "almaty", state: "enforced", enforcedAtMs, milliseconds: 17 },
        { region: "astana", state: "enforced" },
        { region: "mangystau", state: "cut-off", enforcedAtMs: 0, milliseconds: -1 },
      ],
    });
    expect(views.at(-1)?.story.map(({ what }) => what)).toEqual(["accepted", "decided"]);
  });

  test("sees the own region's line again after a restart of the centre", async () => {
    const issued = await service.issue(operator, { number: "+442079460002" });
    await until(async () => (await service.lane("urgent")).length === 2);
    await service.receipt({ urgent: 2, national: 1 });
    await until(async () => ofRegion(await service.view(issued.id), "astana")?.state === "enforced");
    const before = await service.view(issued.id);
    await service.centre.killAndRestart();
    await until(async () => (await service.view(issued.id)).revision === 1);
    expect((await service.view(issued.id)).receipts).toEqual(before.receipts);
  });

  test("waits for the revocation to be enforced, not for what was enforced before", async () => {
    const issued = await service.issue(operator, { number: "+442079460003" });
    const accepted = await service.decide([{ directive: issued.id, decision: "accepted" }]);
    const row = { directive: issued.id, region: "almaty", state: "enforced", enforcedAtMs: Date.now() };
    await service.forRegion({ enforcements: [{ ...row, revision: 1, nationalSequence: accepted }] });
    await service.receipt({ urgent: 3, national: accepted });
    await until(async () => (await service.view(issued.id)).settled);

    const revoked = await service.as(operator, "revokeDirective", { id: issued.id, reason: "mistake" });
    expect(revoked).toMatchObject({
      state: "revoked",
      settled: false,
      receipts: [
        { region: "almaty", state: "waiting" },
        { region: "astana", state: "waiting" },
        { region: "mangystau", state: "cut-off" },
      ],
    });
    const ended = await service.decide([{ directive: issued.id, revision: 2, decision: "revoked" }]);
    await service.forRegion({ enforcements: [{ ...row, revision: 2, nationalSequence: ended }] });
    await service.receipt({ urgent: 4, national: ended });
    await until(async () => (await service.view(issued.id)).settled);
    expect(ofRegion(await service.view(issued.id), "almaty")).toMatchObject({ state: "enforced" });
  });

  test("of a directive of the region's own scope waits for this region alone", async () => {
    const expiresAtMs = Date.now() + 3_600_000;
    const issued = await service.issue(operator, {
      number: "+77011234567",
      action: "warn",
      scope: "region",
      expiresAtMs,
    });
    expect(issued).toMatchObject({ scope: "region", state: "regional", settled: false });
    await until(async () => (await service.lane("urgent")).length === 5);
    await service.receipt({ urgent: 5 });
    await until(async () => (await service.view(issued.id)).settled);
  });

  test("is told that the region is cut off after fifteen seconds without the capital", async () => {
    const issued = await service.issue(operator, { number: "+442079460004" });
    await until(async () => !(await service.view(issued.id)).regionCutOff);
    clearInterval(hearing);
    await until(async () => (await service.view(issued.id)).regionCutOff);
    await service.receipt({ urgent: 6 });
    await until(async () => (await service.view(issued.id)).settled);
    capital.publish(hubSubject.heartbeat, new Uint8Array());
    await capital.flush();
    await until(async () => !(await service.view(issued.id)).regionCutOff);
    expect(await service.view(issued.id)).toMatchObject({ settled: false });
    hearing = hearCapital(capital);
  });

  test("is told nothing by receipts of a lane that was lost, though its sequences come again", async () => {
    await service.receipt({ urgent: 60 });
    const before = await service.issue(operator, { number: "+442079460006" });
    await until(async () => ofRegion(await service.view(before.id), "astana")?.state === "enforced");
    await service.loseStore();
    const issued = await service.issue(operator, { number: "+442079460005" });
    await until(async () => (await service.lane("urgent")).length === 8);
    const looks = 3 * lookEveryMs;
    await new Promise((resolve) => setTimeout(resolve, looks));
    expect(ofRegion(await service.view(issued.id), "astana")?.state).toBe("waiting");
    await service.receipt({ urgent: 8 });
    await until(async () => ofRegion(await service.view(issued.id), "astana")?.state === "enforced");
  });
});
