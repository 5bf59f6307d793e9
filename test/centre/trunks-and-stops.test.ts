import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "#test/replication/servers.ts";
import { carrier, CentreService, operator, otherCarrier, prosecutor } from "./centre-service.ts";

describe("trunks and stop switches", () => {
  let service: CentreService;
  beforeAll(async () => {
    service = await CentreService.start();
  });
  afterAll(() => service.stop());

  const put = {
    trunk: "intl-1",
    direction: "international",
    operator: "",
    sbcAddress: "sbc-1.example.kz:5061",
  };
  const trunk = async () => (await service.as(operator, "listTrunks", {})).trunks[0];

  test("a new trunk begins in shadow and belongs to its carrier", async () => {
    expect(await service.as(carrier, "putTrunk", put)).toMatchObject({
      trunk: "intl-1",
      operator: "kazakhtelecom",
      mode: "shadow",
      revision: 1,
      stopped: false,
    });
    expect(await service.as(carrier, "putTrunk", put)).toMatchObject({ revision: 1 });
    await expect(service.as(otherCarrier, "putTrunk", put)).rejects.toMatchObject({
      code: "forbidden",
      field: "trunk",
    });
    await expect(service.as(operator, "putTrunk", put)).rejects.toMatchObject({ code: "forbidden" });
    await expect(service.as(carrier, "putTrunk", { ...put, trunk: "international" })).rejects.toMatchObject({
      code: "invalid-trunk",
    });
  });

  test("its mode is set by its carrier alone, each change a revision in URGENT", async () => {
    const mode = { trunk: "intl-1", mode: "enforce", percent: 25 };
    expect(await service.as(carrier, "setTrunkMode", mode)).toMatchObject({
      mode: "enforce",
      percent: 25,
      revision: 2,
    });
    expect(await service.as(carrier, "setTrunkMode", mode)).toMatchObject({ revision: 2 });
    await expect(service.as(carrier, "setTrunkMode", { ...mode, percent: 101 })).rejects.toMatchObject({
      code: "invalid-percent",
    });
    await expect(service.as(carrier, "setTrunkMode", { ...mode, trunk: "none-1" })).rejects.toMatchObject({
      code: "not-found",
    });
    await expect(service.as(otherCarrier, "setTrunkMode", mode)).rejects.toMatchObject({ code: "forbidden" });
    await until(async () => (await service.lane("urgent")).length === 2);
    expect((await service.lane("urgent")).map(({ body }) => body)).toMatchObject([
      { $case: "trunkSet", value: { trunk: "intl-1", revision: 1, mode: "shadow" } },
      { $case: "trunkSet", value: { trunk: "intl-1", revision: 2, mode: "enforce", percent: 25 } },
    ]);
  });

  test("a carrier stops its trunks, a prosecutor the region, the capital all", async () => {
    expect(await service.as(carrier, "setStop", { stopped: true })).toEqual({
      stopped: true,
      what: "kazakhtelecom",
    });
    expect(await trunk()).toMatchObject({ stopped: true });
    await service.as(carrier, "setStop", { stopped: false });
    expect(await trunk()).toMatchObject({ stopped: false });
    expect(await service.as(prosecutor, "setStop", { stopped: true })).toEqual({
      stopped: true,
      what: "region",
    });
    expect(await service.as(operator, "listTrunks", {})).toMatchObject({
      regionStopped: true,
      nationStopped: false,
    });
    await service.as(prosecutor, "setStop", { stopped: false });
    await expect(service.as(operator, "setStop", { stopped: true })).rejects.toMatchObject({
      code: "forbidden",
    });
    await service.national({
      rows: [{ row: { $case: "stop", value: { stopped: true, person: "central", atMs: 1, revision: 1 } } }],
    });
    await until(async () => (await service.as(operator, "listTrunks", {})).nationStopped);
    expect(await trunk()).toMatchObject({ stopped: true });
    await service.settled();
    const stops = (await service.lane("urgent")).flatMap(({ body }) =>
      body?.$case === "regionStop"
        ? [`${body.value.revision} ${body.value.carrier} ${body.value.stopped}`]
        : [],
    );
    expect(stops).toEqual(["1 kazakhtelecom true", "2 kazakhtelecom false", "3  true", "4  false"]);
  });

  test("who speaks for no carrier has no trunks, stops nothing and confirms nothing", async () => {
    const { carrier: _, ...nobodys } = carrier;
    const held = await service.issue(prosecutor, { number: "+77011234568" });
    expect(held).toMatchObject({ state: "held", missing: ["second-region", "carrier"] });
    const refused = { code: "forbidden", field: "authorization.carrier" };
    await expect(service.approve({ ...nobodys, id: "c-3" }, { directive: held.id })).rejects.toMatchObject(
      refused,
    );
    await expect(service.as({ ...nobodys, id: "c-3" }, "putTrunk", put)).rejects.toMatchObject(refused);
    await expect(service.as({ ...nobodys, id: "c-3" }, "setStop", { stopped: true })).rejects.toMatchObject(
      refused,
    );
  });

  test("the direction of a trunk decides how far an operator's powers reach", async () => {
    const asked = { number: "+77011234567", trunk: "intl-1" };
    expect(await service.issue(operator, asked)).toMatchObject({ state: "regional", scope: "nation" });
    expect(await service.issue(operator, { ...asked, trunk: "unknown-1" })).toMatchObject({ state: "held" });
  });
});
