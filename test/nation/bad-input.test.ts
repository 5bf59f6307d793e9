import { Client, credentials, status, type ServiceError } from "@grpc/grpc-js";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { errorTrailer } from "#platform/errors.ts";
import { addressIn, readRunFile } from "#infra/local/run-file.ts";
import { accessNation } from "../../services/cli/faults/access.ts";
import {
  RunningNation,
  type DirectiveDocument,
  type ErrorDocument,
  type StatusDocument,
} from "./running-nation.ts";

const bodyBytes = 200 * 1024 * 1024;
const basis = ["--basis", "communications-law-41-1", "--reason", "fraud"];

describe("bad input", () => {
  let nation: RunningNation;
  let directivesBefore: number;

  const count = async () => (await nation.json<DirectiveDocument[]>("directive", "list")).length;
  const refused = async (...words: string[]) => {
    const result = await nation.run(...words, "--json");
    return { exitCode: result.code, ...(JSON.parse(result.stdout) as ErrorDocument).error };
  };

  beforeAll(async () => {
    nation = await RunningNation.start({ regions: "astana,almaty" });
    directivesBefore = await count();
  });
  afterAll(async () => {
    await nation[Symbol.asyncDispose]();
  });

  const issue = ["directive", "issue", "--region", "astana", "--action", "block", ...basis];

  it.each([
    [
      "a number with letters",
      [...issue, "--number", "+44791ABC456", "--expires", "6d"],
      "number",
      "+44791ABC456",
    ],
    [
      "a range from high to low",
      [...issue, "--range", "+447911999999-+447911000000", "--expires", "6d"],
      "range",
      "+447911999999-+447911000000",
    ],
    [
      "an unknown action",
      [...issue.slice(0, 4), "--action", "destroy", ...basis, "--number", "+447911123456", "--expires", "6d"],
      "action",
      "destroy",
    ],
    [
      "an unknown region",
      [
        "directive",
        "issue",
        "--region",
        "atlantis",
        ...issue.slice(4),
        "--number",
        "+447911123456",
        "--expires",
        "6d",
      ],
      "region",
      "atlantis",
    ],
    [
      "an unknown basis",
      [
        "directive",
        "issue",
        "--region",
        "astana",
        "--action",
        "block",
        "--basis",
        "no-law",
        "--reason",
        "fraud",
        "--number",
        "+447911123456",
        "--expires",
        "6d",
      ],
      "basis",
      "no-law",
    ],
    [
      "a directive that does not exist",
      ["directive", "show", "astana-01ARZ3NDEKTSV4RRFFQ69G5FAV"],
      "directive",
      "astana-01ARZ3NDEKTSV4RRFFQ69G5FAV",
    ],
  ])("%s is refused with field, value and remedy", async (_what, words, field, value) => {
    const error = await refused(...words);
    expect(error.exitCode).toBeGreaterThan(0);
    expect(error.field).toBe(field);
    expect(error.value).toContain(value);
    expect(error.remedy).not.toBe("");
    expect(error.message).not.toBe("");
  });

  it("an expiry in the past is refused", async () => {
    const error = await refused(...issue, "--number", "+447911123456", "--expires", "2020-01-01T00:00:00Z");
    expect(error.field).toMatch(/expires/);
    expect(error.remedy).not.toBe("");
  });

  it("a token of another region does nothing", async () => {
    await nation.run("login", "--as", "operator", "--region", "almaty");
    const error = await refused(...issue, "--number", "+447911123456", "--expires", "6d");
    await nation.run("logout");
    expect(error.field).toMatch(/region/);
    expect(error.value).toBe("almaty");
  });

  it("garbage instead of a message is refused by the service, which stays up", async () => {
    using access = await accessNation(nation.dataFolder);
    const [astana] = access.regions;
    if (astana === undefined) throw new Error("no region runs");
    const garbage = Buffer.from("ff".repeat(300), "hex");
    const error = await new Promise<ServiceError | null>((resolve) => {
      astana.centre.makeUnaryRequest(
        "/qalqan.centre.v1.Centre/IssueDirective",
        (bytes: Buffer) => bytes,
        (bytes: Buffer) => bytes,
        garbage,
        resolve,
      );
    });
    expect(error?.code).toBe(status.INVALID_ARGUMENT);
    const detail = JSON.parse(String(error?.metadata.get(errorTrailer)[0])) as ErrorDocument["error"];
    expect(detail).toMatchObject({ field: "message", value: "300 bytes" });
    expect(detail.remedy).not.toBe("");
  });

  it("bytes that are no TLS at all are dropped", async () => {
    const run = readRunFile(nation.dataFolder);
    const [host = "", port = ""] = addressIn(run, "astana", "centre", "grpc").split(":");
    const socket = connect(Number(port), host);
    socket.on("error", () => undefined);
    await once(socket, "connect");
    socket.write(Buffer.from("GET / HTTP/1.1\r\n\r\n\u0000\u00ff".repeat(1_000)));
    await once(socket, "close");
  });

  it("a message of 200 MB is refused before it is read", async () => {
    using unbounded = unboundedClient(nation.dataFolder);
    const error = await new Promise<ServiceError | null>((resolve) => {
      unbounded.client.makeUnaryRequest(
        "/qalqan.centre.v1.Centre/IssueDirective",
        (bytes: Buffer) => bytes,
        (bytes: Buffer) => bytes,
        Buffer.alloc(bodyBytes),
        resolve,
      );
    });
    expect(error?.code).toBe(status.RESOURCE_EXHAUSTED);
  });

  it("an HTTP body of 200 MB is refused with problem+json", async () => {
    const run = readRunFile(nation.dataFolder);
    const url = `http://${addressIn(run, "astana", "centre", "http")}/v1/directives`;
    const answer = await postLarge(url, bodyBytes);
    expect(answer.status).toBe(413);
    expect(JSON.parse(answer.body)).toMatchObject({
      field: "body",
      remedy: expect.stringMatching(/\S/) as string,
    });
  });

  it("leaves nothing half done, and every service up", async () => {
    expect(await count()).toBe(directivesBefore);
    const { services } = await nation.json<StatusDocument>("status");
    expect(services.map(({ state }) => state)).toEqual(services.map(() => "ready"));
  });
});

/** A client without our own limit on what it sends. */
function unboundedClient(dataFolder: string): { client: Client } & Disposable {
  const run = readRunFile(dataFolder);
  const { ca, certificate, key } = run.clients.cli;
  const channel = credentials.createSsl(readFileSync(ca), readFileSync(key), readFileSync(certificate));
  const client = new Client(addressIn(run, "astana", "centre", "grpc"), channel, {
    "grpc.max_send_message_length": -1,
  });
  return { client, [Symbol.dispose]: () => client.close() };
}

/** Sends a body piece by piece until the server has answered or everything is sent. */
async function postLarge(url: string, bytes: number): Promise<{ status: number; body: string }> {
  const headers = { "content-type": "application/json", "content-length": bytes };
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: "POST", headers }, (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => (body += chunk.toString()));
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, body });
        sent.destroy();
      });
    });
    sent.on("error", reject);
    sent.write(Buffer.alloc(64 * 1024, " "));
  });
}
