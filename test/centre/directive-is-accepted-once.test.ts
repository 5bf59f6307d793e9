import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "#test/replication/servers.ts";
import { verifyAudit } from "../../services/centre/store/audit.ts";
import { CentreService, dayMs, operator, prosecutor, secondOperator, stranger } from "./centre-service.ts";

describe("the centre of a region", () => {
  let service: CentreService;
  beforeAll(async () => {
    service = await CentreService.start();
  });
  afterAll(() => service.stop());

  test("accepts a directive with its audit line and its event, and the event comes in URGENT once", async () => {
    const view = await service.issue(operator, { number: "+442079460001" });
    expect(view).toMatchObject({
      revision: 1,
      scope: "nation",
      state: "regional",
      target: "+442079460001",
      missing: [],
      author: operator.id,
      settled: false,
    });
    expect(view.story).toMatchObject([{ what: "accepted", person: operator.id }]);
    const audit = await service.database
      .selectFrom("audit")
      .selectAll()
      .where("subject", "=", view.id)
      .execute();
    expect(audit).toMatchObject([{ what: "directive-accepted", person: operator.id }]);
    await until(async () => (await service.lane("urgent")).length === 1);
    const [event] = await service.lane("urgent");
    expect(event).toMatchObject({
      outbox: 1,
      body: { $case: "directives", value: { directives: [{ id: view.id, revision: 1, action: "block" }] } },
    });
  });
});
