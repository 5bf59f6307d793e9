import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "#test/replication/servers.ts";
import {
  CentreService,
  databaseBackMs,
  dayMs,
  hourMs,
  operator,
  prosecutor,
  stranger,
} from "./centre-service.ts";

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: Record<string, unknown>;
}

describe("the HTTP interface of a centre", () => {
  let service: CentreService;
  beforeAll(async () => {
    service = await CentreService.start();
  });
  afterAll(() => service.stop());

  async function ask(method: string, path: string, body?: unknown, who = operator): Promise<Answer> {
    const authorization = await service.token(who);
    const response = await fetch(`http://${service.httpAddress}${path}`, {
      method,
      headers: { authorization, ...(body === undefined ? {} : { "content-type": "application/json" }) },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const answer: unknown = await response.json();
    return {
      status: response.status,
      type: response.headers.get("content-type") ?? "",
      body: answer as Record<string, unknown>,
    };
  }

  const block = (number: string) => ({
    ...{ number, action: "block", basis: "communications-law-41-1", reason: "fraud" },
    expiresAtMs: Date.now() + dayMs,
  });

  test("issues, shows, lists, extends and revokes a directive", async () => {
    const issued = await ask("POST", "/v1/directives", block("+442079460001"));
    expect(issued).toMatchObject({
      status: 201,
      body: { revision: 1, state: "regional", target: "+442079460001" },
    });
    const id = String(issued.body["id"]);
    expect(await ask("GET", `/v1/directives/${id}`)).toMatchObject({
      status: 200,
      body: { id, story: [{}] },
    });
    const { body } = await ask("GET", "/v1/directives?state=regional");
    expect(body).toMatchObject([{ id }]);
    const expiresAtMs = Date.now() + 2 * dayMs;
    expect(await ask("POST", `/v1/directives/${id}/extend`, { expiresAtMs })).toMatchObject({
      body: { revision: 2, expiresAtMs },
    });
    expect(await ask("POST", `/v1/directives/${id}/revoke`, { reason: "mistake" })).toMatchObject({
      status: 200,
      body: { revision: 3, state: "revoked" },
    });
  });

  test("takes approvals", async () => {
    const held = await ask("POST", "/v1/directives", {
      ...block(""),
      number: undefined,
      range: "+442079460000-+442079469999",
    });
    expect(held).toMatchObject({ status: 201, body: { state: "held", missing: ["second-person"] } });
    const path = `/v1/directives/${String(held.body["id"])}/approvals`;
    expect(await ask("POST", path, { approve: true })).toMatchObject({
      status: 403,
      body: { code: "forbidden" },
    });
    expect(await ask("POST", path, { approve: true }, prosecutor)).toMatchObject({
      status: 200,
      body: { state: "regional" },
    });
  });

  test("serves its description", async () => {
    const { body } = await ask("GET", "/openapi.json");
    expect(body["openapi"]).toBe("3.1.0");
    expect(Object.keys(body["paths"] as object).toSorted()).toEqual([
      "/v1/directives",
      "/v1/directives/{id}",
      "/v1/directives/{id}/approvals",
      "/v1/directives/{id}/extend",
      "/v1/directives/{id}/revoke",
    ]);
    expect(JSON.stringify(body)).toContain("#/components/schemas/Directive");
  });

  test.each([
    [
      "an unknown field",
      { ...block("+442079460002"), severity: 3 },
      400,
      { code: "unknown-field", field: "severity" },
    ],
    ["a missing field", { number: "+442079460002" }, 400, { code: "missing-field", field: "action" }],
    [
      "a wrong type",
      { ...block("+442079460002"), expiresAtMs: "soon" },
      400,
      { code: "invalid-field", field: "expiresAtMs" },
    ],
    [
      "letters as a number",
      block("nobody"),
      400,
      { code: "invalid-number", field: "number", value: "nobody" },
    ],
    ["an end in the past", { ...block("+442079460002"), expiresAtMs: 1 }, 400, { code: "invalid-expiry" }],
    ["no JSON", "{", 400, { code: "invalid-body", field: "body" }],
    ["a body of a megabyte", "x".repeat(1024 * 1024), 413, { code: "body-too-large", field: "body" }],
  ])("refuses %s as a problem with field and remedy", async (_name, body, status, problem) => {
    const answer = await ask("POST", "/v1/directives", body);
    expect(answer).toMatchObject({ status, body: { status, ...problem } });
    expect(answer.type).toMatch(/^application\/problem\+json/);
    expect(answer.body["remedy"]).toMatch(/\S/);
    expect(answer.body["message"]).toMatch(/\S/);
  });

  test("refuses who has no token, another region's token, and what is not there", async () => {
    const bare = await fetch(`http://${service.httpAddress}/v1/directives`);
    expect(bare.status).toBe(401);
    expect(await bare.json()).toMatchObject({ code: "unauthenticated", field: "authorization" });
    expect(await ask("GET", "/v1/directives", undefined, stranger)).toMatchObject({ status: 403 });
    expect(await ask("GET", "/v1/directives/astana-01K")).toMatchObject({
      status: 404,
      body: { code: "not-found" },
    });
    for (const path of ["/v1/directives/astana%00", "/v1/directives?batch=astana%00"]) {
      expect(await ask("GET", path)).toMatchObject({ status: 400, body: { code: "invalid-text" } });
    }
    expect(await ask("GET", "/v2/anything")).toMatchObject({ status: 404, body: { field: "path" } });
    expect(await ask("GET", "/v1/directives?stat=held")).toMatchObject({
      status: 400,
      body: { field: "stat" },
    });
  });

  test("answers with 503 while the database is away, and with a directive when it is back", async () => {
    await service.postgres.stop("SIGKILL");
    const asked = { ...block("+442079460003"), idempotencyKey: "k", expiresAtMs: Date.now() + hourMs };
    expect(await ask("POST", "/v1/directives", asked)).toMatchObject({
      status: 503,
      body: { code: "unavailable" },
    });
    expect(await ask("GET", "/ready")).toMatchObject({ status: 503, body: { ready: false } });
    expect(await ask("GET", "/live")).toMatchObject({ status: 200 });
    service.postgres.start();
    await until(async () => (await ask("POST", "/v1/directives", asked)).status === 201, databaseBackMs);
    expect(await ask("GET", "/ready")).toMatchObject({ status: 200 });
  });
});
