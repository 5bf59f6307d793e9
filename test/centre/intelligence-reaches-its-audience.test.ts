import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LocalPerson } from "#infra/local/people.ts";
import {
  AddIntelligenceRequest,
  type IntelligenceView,
  type ListIntelligenceRequest,
} from "#proto/qalqan/centre/v1/centre.ts";
import { Intelligence, type DeepPartial } from "#proto/qalqan/events/v1/events.ts";
import { until } from "#test/replication/servers.ts";
import { analyst, carrier, CentreService, dayMs, operator, secondOperator } from "./centre-service.ts";

describe("a piece of intelligence", () => {
  let service: CentreService;
  beforeAll(async () => {
    service = await CentreService.start();
  });
  afterAll(() => service.stop());

  const add = (asked: DeepPartial<AddIntelligenceRequest>, who: LocalPerson = operator) =>
    service.as(
      who,
      "addIntelligence",
      AddIntelligenceRequest.fromPartial({
        ...{ kind: "number", fieldsJson: '{"number":"+442079460001"}', audience: "all", tlp: "amber" },
        ...{ confidence: 60, source: "operator", validUntilMs: Date.now() + dayMs },
        ...asked,
      }),
    );
  const list = (asked: Partial<ListIntelligenceRequest> = {}) =>
    service.all<IntelligenceView>(
      (metadata) =>
        service.client.listIntelligence(
          { kind: "", search: "", limit: 0, withWithdrawn: false, ...asked },
          metadata,
        ),
      operator,
    );
  const idsOf = (views: readonly IntelligenceView[]) =>
    views.map(({ intelligence }) => intelligence?.id ?? "");
  const lane = async () => (await service.lane("events")).map(({ body }) => body);
  const secret = "the caller lives at house fourteen";

  test("for all leaves as an event without its note", async () => {
    const view = await add({ note: secret, idempotencyKey: "one" });
    expect(view).toMatchObject({
      region: "astana",
      withdrawn: false,
      note: secret,
      intelligence: { revision: 1 },
    });
    expect((await add({ note: secret, idempotencyKey: "one" })).intelligence?.id).toBe(view.intelligence?.id);
    await until(async () => (await lane()).length === 1);
    expect(await lane()).toMatchObject([
      { $case: "intelligence", value: { intelligence: { id: view.intelligence?.id, audience: "all" } } },
    ]);
  });

  test("for this region alone leaves no byte of it in any lane", async () => {
    await add({
      audience: "region",
      kind: "call-centre",
      fieldsJson: '{"country":"XX","city":"Unmistakable"}',
      note: secret,
    });
    await add({ audience: "almaty, mangystau", tlp: "red" });
    await until(async () => (await lane()).length === 2);
    expect((await lane())[1]).toMatchObject({
      value: { intelligence: { audience: "almaty,mangystau", tlp: "red" } },
    });
    const bytes = JSON.stringify([await service.lane("events"), await service.lane("urgent")]);
    expect(bytes).not.toContain("Unmistakable");
    expect(bytes).not.toContain("fourteen");
    const outbox = await service.database.selectFrom("outbox").select("bytes").execute();
    expect(outbox.some((row) => row.bytes.includes("Unmistakable") || row.bytes.includes("fourteen"))).toBe(
      false,
    );
  });

  test("is found by its words, newest first", async () => {
    await add({
      kind: "leak",
      fieldsJson: '{"holder":"Example Clinic","contents":"names,numbers"}',
      audience: "region",
    });
    expect(await list({ search: "clinic example" })).toMatchObject([{ intelligence: { kind: "leak" } }]);
    expect((await list({ search: "+442079460001" })).length).toBeGreaterThan(0);
    expect(await list({ search: "clinic nowhere" })).toEqual([]);
    expect((await list({ kind: "call-centre" })).length).toBe(1);
    expect((await list()).every(({ note }) => note === "")).toBe(true);
  });

  test("that comes down is kept here; of another audience it is not", async () => {
    const piece = (id: string, more: Partial<Intelligence>) => ({
      intelligence: Intelligence.fromPartial({
        ...{
          id,
          revision: 1,
          kind: "wallet",
          fieldsJson: '{"address":"TXYZ"}',
          audience: "all",
          tlp: "green",
        },
        ...{ confidence: 50, source: "partner", createdAtMs: Date.now(), validUntilMs: Date.now() + dayMs },
        ...more,
      }),
    });
    await service.national({ intelligence: [piece("almaty-01K0000000000000000000000A", {})] });
    await service.forRegion({
      intelligence: [
        piece("almaty-01K0000000000000000000000B", { audience: "astana,mangystau" }),
        piece("almaty-01K0000000000000000000000C", { audience: "mangystau" }),
      ],
    });
    await until(async () => (await list({ kind: "wallet" })).length === 2);
    expect(idsOf(await list({ search: "txyz" })).toSorted()).toEqual([
      "almaty-01K0000000000000000000000A",
      "almaty-01K0000000000000000000000B",
    ]);
    const id = "almaty-01K0000000000000000000000A";
    await expect(service.as(operator, "withdrawIntelligence", { id })).rejects.toMatchObject({
      code: "forbidden",
    });
    await service.national({
      intelligenceWithdrawn: [{ id, revision: 2, audience: "all", atMs: Date.now() }],
    });
    await service.national({ intelligence: [piece(id, {})] });
    await until(async () => (await list({ kind: "wallet" })).length === 1);
    expect(idsOf(await list({ kind: "wallet", withWithdrawn: true }))).toContain(id);
  });

  test("is withdrawn everywhere by its author or an analyst", async () => {
    const id = (await add({})).intelligence?.id ?? "";
    await expect(service.as(secondOperator, "withdrawIntelligence", { id })).rejects.toMatchObject({
      code: "forbidden",
    });
    expect(await service.as(analyst, "withdrawIntelligence", { id })).toMatchObject({ withdrawn: true });
    expect(await service.as(operator, "withdrawIntelligence", { id })).toMatchObject({
      intelligence: { revision: 2 },
    });
    expect(idsOf(await list())).not.toContain(id);
    await until(async () => (await lane()).some((body) => body?.$case === "intelligenceWithdrawn"));
    expect((await lane()).filter((body) => body?.$case === "intelligenceWithdrawn")).toMatchObject([
      { value: { id, revision: 2, audience: "all" } },
    ]);
  });

  test("shows its note only in its own region, and every reading is in the audit", async () => {
    const id = (await add({ note: secret })).intelligence?.id ?? "";
    expect(await service.as(secondOperator, "getIntelligence", { id })).toMatchObject({ note: secret });
    const reads = await service.database
      .selectFrom("audit")
      .selectAll()
      .where("what", "=", "intelligence-note-read")
      .where("subject", "=", id)
      .execute();
    expect(reads).toMatchObject([{ person: secondOperator.id }]);
    await expect(service.as(carrier, "getIntelligence", { id })).rejects.toMatchObject({ code: "forbidden" });
  });

  test.each([
    ["an unknown kind", { kind: "rumour" }, { code: "unknown-value", field: "kind" }],
    [
      "a field that its kind does not have",
      { fieldsJson: '{"number":"+442079460001","name":"Ivan"}' },
      { code: "invalid-fields" },
    ],
    [
      "an IMEI with a wrong digit",
      { kind: "device", fieldsJson: '{"imei":"490154203237517"}' },
      { field: "fields.imei" },
    ],
    [
      "a city that is a sentence",
      { kind: "call-centre", fieldsJson: '{"country":"XX","city":"call 8 701 123 45 67"}' },
      { field: "fields.city" },
    ],
    ["an audience that is none", { audience: "Everybody!" }, { code: "invalid-audience", field: "audience" }],
    ["a marking that is none", { tlp: "pink" }, { field: "tlp" }],
    ["a confidence beyond a hundred", { confidence: 101 }, { field: "confidence" }],
    ["a validity in the past", { validUntilMs: 1 }, { field: "valid_until_ms" }],
    ["a wording without a script", { releasedWording: "Hello" }, { code: "unfit-wording" }],
    [
      "a wording with somebody's number in words",
      {
        kind: "script",
        fieldsJson: '{"language":"ru","pretext":"bank-security"}',
        releasedWording: "Перезвоните: восемь семьсот один сто двадцать три сорок пять шестьдесят семь",
      },
      { code: "digits-in-wording", field: "released_wording", value: "" },
    ],
  ])("is refused with %s", async (_name, asked, expected) => {
    await expect(add(asked)).rejects.toMatchObject(expected);
  });
});
