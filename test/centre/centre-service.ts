import { createHash } from "node:crypto";
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ClientUnaryCall, handleUnaryCall, Metadata } from "@grpc/grpc-js";
import { postgres } from "#infra/blueprint/parts.ts";
import type { PostgresServer } from "#infra/blueprint/stack.ts";
import { prepareIdentity, mintToken } from "#infra/local/identity.ts";
import type { LocalPerson } from "#infra/local/people.ts";
import { askDatabase, initialise, postgresCommand } from "#infra/local/postgres.ts";
import { openDatabase } from "#platform/database.ts";
import { bearer, call, channelCredentials, channelOptions, read } from "#platform/grpc-client.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { LaneProducer } from "#platform/producer.ts";
import { firstEpoch, regionStream, regionSubject, type Lane } from "#proto/names.ts";
import {
  CentreClient,
  IssueDirectiveRequest,
  type BatchView,
  type CentreServer,
  type DirectiveView,
  type ImportProgress,
} from "#proto/qalqan/centre/v1/centre.ts";
import {
  Event,
  NationalBatch,
  Receipt,
  RegionBatch,
  type DeepPartial,
} from "#proto/qalqan/events/v1/events.ts";
import { migrations } from "../../services/centre/store/migrations.ts";
import type { CentreDatabase, Schema } from "../../services/centre/store/schema.ts";
import {
  appendPatiently,
  HubAndRegion,
  readAll,
  readiness,
  testLog,
  until,
  type Restartable,
} from "#test/replication/servers.ts";
import { createStreams, type LaneLimits } from "./region-streams.ts";

export const hourMs = 3_600_000;
export const dayMs = 24 * hourMs;
/** PostgreSQL starts, and reads its log again after a kill: on a busy machine that takes a while (ms). */
export const databaseBackMs = 60_000;
export const region = "astana";

const person = (id: string, role: LocalPerson["role"], more: Partial<LocalPerson> = {}): LocalPerson => ({
  ...{ id, role, region, name: id },
  ...more,
});
export const operator = person("operator-1.astana", "operator");
export const secondOperator = person("operator-2.astana", "operator");
export const analyst = person("analyst-1.astana", "analyst");
export const prosecutor = person("prosecutor-1.astana", "regional-prosecutor");
export const carrier = person("carrier-1.astana", "carrier", { carrier: "kazakhtelecom" });
export const otherCarrier = person("carrier-2.astana", "carrier", { carrier: "beeline" });
export const stranger = person("operator-1.almaty", "operator", { region: "almaty" });

type Method = Extract<keyof CentreClient, string>;

/** Methods that answer once, with what they are asked and what they answer. */
type RequestOf<Name extends keyof CentreServer> =
  CentreServer[Name] extends handleUnaryCall<infer Request, infer _Answer> ? Request : never;
type AnswerOf<Name extends keyof CentreServer> =
  CentreServer[Name] extends handleUnaryCall<infer _Request, infer Answer> ? Answer : never;

/** The centre of one region as it really runs, with PostgreSQL and NATS; the rest of the nation is this test. */
export class CentreService {
  readonly servers: HubAndRegion;
  readonly postgres: Restartable;
  readonly centre: Restartable;
  readonly database: CentreDatabase;
  /** As replication: it writes what comes down. */
  readonly line: NatsConnection;
  readonly client: CentreClient;
  readonly httpAddress: string;
  readonly #identityKey: string;
  readonly #tokens = new Map<string, string>();
  #nationalSequence = 0;
  #forSequence = 0;
  #screening: LaneProducer | undefined;

  private constructor(parts: {
    servers: HubAndRegion;
    postgres: Restartable;
    centre: Restartable;
    database: CentreDatabase;
    line: NatsConnection;
    client: CentreClient;
  }) {
    this.servers = parts.servers;
    this.postgres = parts.postgres;
    this.centre = parts.centre;
    this.database = parts.database;
    this.line = parts.line;
    this.client = parts.client;
    this.httpAddress = parts.servers.ports.address("centre/http");
    this.#identityKey = prepareIdentity(join(parts.servers.folder, "identity")).privateKey;
  }

  /**
   * @param limits sizes of the lanes, where they are other than a region's
   * @param prepare may move the database's folder before its server starts
   * @param more what the centre is told besides
   */
  static async start(
    limits: LaneLimits = {},
    prepare: (databaseFolder: string) => void = () => undefined,
    more: Readonly<Record<string, string>> = {},
  ): Promise<CentreService> {
    const servers = await HubAndRegion.start();
    await servers.ports.prepare(["centre/http", "postgres/sql"]);
    const { server, passwordFile } = await prepareDatabase(servers);
    prepare(join(servers.folder, "postgres"));
    const port = servers.ports.port("postgres/sql");
    const [file = "", ...parameters] = postgresCommand(join(servers.folder, "postgres"), server, port);
    const running = servers.process("postgres", () => spawn(file, parameters), true);
    running.start();
    const password = readFileSync(passwordFile, "utf8");
    await until(async () => {
      await askDatabase(server, port, password);
      return true;
    }, databaseBackMs);
    const url = `postgres://${server.superuser}@127.0.0.1:${port}/${server.database}`;
    const centre = await servers.service("centre", {
      GRPC_LISTEN: servers.ports.address("centre/grpc"),
      HTTP_LISTEN: servers.ports.address("centre/http"),
      DATABASE_URL: url,
      DATABASE_PASSWORD_FILE: passwordFile,
      ...more,
    });
    centre.start();
    const line = await servers.connect("replication");
    await createStreams(line, limits);
    await until(async () => (await readiness(servers.ports.address("centre/http"))).ready, databaseBackMs);
    const database = await openDatabase<Schema>(
      { DATABASE_URL: url, DATABASE_PASSWORD_FILE: password },
      migrations,
      testLog,
      new AbortController().signal,
    );
    return new CentreService({
      ...{ servers, centre, database, line },
      postgres: running,
      client: await connectClient(servers, "person.astana"),
    });
  }

  /** Calls a method as a person. */
  async as<Name extends Method>(
    who: LocalPerson,
    method: Name,
    request: RequestOf<Name>,
  ): Promise<AnswerOf<Name>> {
    const bound = (this.client[method] as (...all: unknown[]) => ClientUnaryCall).bind(this.client);
    return call<RequestOf<Name>, AnswerOf<Name>>(bound, request, {
      metadata: await this.metadata(who),
      deadlineMs: 30_000,
    });
  }

  /** Issues a directive: a block of a foreign number for a day, unless `asked` says otherwise. */
  async issue(who: LocalPerson, asked: DeepPartial<IssueDirectiveRequest>): Promise<DirectiveView> {
    return this.as(who, "issueDirective", issueRequest(asked));
  }

  async approve(who: LocalPerson, subject: { directive?: string; batch?: string }, approve = true) {
    const request = { directive: "", batch: "", kind: "", revision: 0, ...subject, approve };
    return this.as(who, "decideApproval", request);
  }

  async view(id: string): Promise<DirectiveView> {
    return this.as(operator, "getDirective", { id });
  }

  async batch(batch: string): Promise<BatchView> {
    return this.as(operator, "getBatch", { batch });
  }

  async metadata(who: LocalPerson): Promise<Metadata> {
    const known = this.#tokens.get(who.id) ?? (await mintToken(this.#identityKey, who, 3_600));
    this.#tokens.set(who.id, known);
    return bearer(known);
  }

  async token(who: LocalPerson): Promise<string> {
    return String((await this.metadata(who)).get("authorization")[0]);
  }

  /** Everything that a server stream answers. */
  async all<Answer>(
    open: (metadata: Metadata) => Parameters<typeof read<Answer>>[0],
    who: LocalPerson,
  ): Promise<Answer[]> {
    const answers: Answer[] = [];
    for await (const answer of read<Answer>(open(await this.metadata(who)))) answers.push(answer);
    return answers;
  }

  /** What a lane of the region holds of this centre. */
  async lane(lane: Lane): Promise<Event[]> {
    const messages = await readAll(this.line, regionStream.lane(lane, firstEpoch));
    const own = regionSubject.laneOfProducer(lane, firstEpoch, "centre").slice(0, -1);
    return messages.filter(({ subject }) => subject.startsWith(own)).map(({ data }) => Event.decode(data));
  }

  /** Appends a batch to the region's copy of NATIONAL, as replication does; its sequence. */
  async national(batch: DeepPartial<NationalBatch>): Promise<number> {
    this.#nationalSequence += 1;
    const bytes = NationalBatch.encode(
      NationalBatch.fromPartial({ atMs: Date.now(), ...batch, sequence: this.#nationalSequence }),
    ).finish();
    await appendPatiently(this.line, regionSubject.national(firstEpoch), this.#nationalSequence, bytes);
    return this.#nationalSequence;
  }

  /** Decides about directives, as the capital does. */
  async decide(
    decisions: readonly {
      directive: string;
      revision?: number;
      decision: string;
      reason?: string;
      missing?: string[];
    }[],
  ): Promise<number> {
    return this.national({ decisions: decisions.map((each) => ({ region, revision: 1, ...each })) });
  }

  /** Appends to the region's copy of FOR. */
  async forRegion(batch: DeepPartial<RegionBatch>): Promise<void> {
    this.#forSequence += 1;
    const bytes = RegionBatch.encode(
      RegionBatch.fromPartial({ atMs: Date.now(), ...batch, sequence: this.#forSequence }),
    ).finish();
    await appendPatiently(this.line, regionSubject.forRegion(firstEpoch), this.#forSequence, bytes);
  }

  /** Says as a ready replica of this region's screening that it has applied everything up to here. */
  async receipt(sequences: { national?: number; events?: number; urgent?: number }): Promise<void> {
    const signal = AbortSignal.timeout(10_000);
    this.#screening ??= await LaneProducer.open(
      await this.servers.connect("screening"),
      "events",
      firstEpoch,
      "screening-0",
      signal,
    );
    const value = Receipt.fromPartial({
      ...{ region, replica: "screening-0", bootId: "boot-1", ready: true, atMs: Date.now() },
      nationalEpoch: firstEpoch,
      nationalSequence: sequences.national ?? 0,
      regionEpoch: firstEpoch,
      eventsSequence: sequences.events ?? 0,
      urgentSequence: sequences.urgent ?? 0,
    });
    await this.#screening.append({ atMs: Date.now(), body: { $case: "receipt", value } }, signal);
  }

  /** Sends an import and reads its progress. */
  async import(
    who: LocalPerson,
    numbers: readonly string[],
    wish: { content?: string; action?: string; dryRun?: boolean; expiresAtMs?: number; basis?: string } = {},
  ): Promise<ImportProgress[]> {
    const stream = this.client.import(await this.metadata(who));
    const { content = numbers.join(), ...rest } = wish;
    const header = {
      ...{ action: "warn", basis: "communications-law-41-1", reason: "fraud", dryRun: false, scope: "" },
      ...{
        expiresAtMs: Date.now() + 6 * dayMs,
        contentKey: createHash("sha256").update(content).digest("hex"),
      },
      ...rest,
    };
    stream.write({ part: { $case: "header", value: header } });
    const entries = numbers.map((number, index) => ({ index, number }));
    for (let from = 0; from < entries.length; from += 1_000) {
      stream.write({ part: { $case: "entries", value: { entries: entries.slice(from, from + 1_000) } } });
    }
    stream.end();
    const progress: ImportProgress[] = [];
    for await (const each of read<ImportProgress>(stream)) progress.push(each);
    return progress;
  }

  /** Waits until every event that was accepted is in its lane, and noted to be. */
  async settled(): Promise<void> {
    await until(async () => {
      const waiting = await this.database
        .selectFrom("outbox")
        .select("number")
        .where("sequence", "is", null)
        .execute();
      return waiting.length === 0;
    });
  }

  /** Keeps the database's files as they are now under a name. */
  async copyDatabase(name: string): Promise<void> {
    await this.postgres.stop("SIGINT");
    copyFolder(this.#databaseFolder, `${this.#databaseFolder}.${name}`);
    this.postgres.start();
    await this.#databaseAnswers();
  }

  /** Ends the database and starts it again from a copy. */
  async restoreDatabase(name: string): Promise<void> {
    // It waits for its children, which write into the folder that is removed.
    await this.postgres.stop("SIGQUIT");
    rmSync(this.#databaseFolder, { recursive: true });
    copyFolder(`${this.#databaseFolder}.${name}`, this.#databaseFolder);
    this.postgres.start();
    await this.#databaseAnswers();
  }

  /** Ends the region's NATS server and starts it again with an empty store, in which replication makes its streams. */
  async loseStore(): Promise<void> {
    await this.servers.regional.stop("SIGKILL");
    this.servers.forgetStore();
    this.servers.regional.start();
    await createStreams(this.line);
    [this.#nationalSequence, this.#forSequence] = [0, 0];
  }

  get #databaseFolder(): string {
    return join(this.servers.folder, "postgres");
  }

  async #databaseAnswers(): Promise<void> {
    await until(async () => (await readiness(this.httpAddress)).ready, databaseBackMs);
    // This test's own pool notices the restart by an error of its own.
    await until(
      async () => (await this.database.selectFrom("audit_head").selectAll().execute()).length === 1,
    );
  }

  /** The alarms that this centre has said last, as `code subject`. */
  async alarmsSaid(): Promise<string[]> {
    const messages = await readAll(this.line, regionStream.lane("events", firstEpoch));
    const said = messages.flatMap(({ data }) => {
      const { body } = Event.decode(data);
      return body?.$case === "alarms" && body.value.source === "centre" ? [body.value.alarms] : [];
    });
    return (said.at(-1) ?? []).map(({ code, subject }) => `${code} ${subject}`);
  }

  /** The client of another process of the region, known by its certificate alone. */
  clientOf(commonName: string): Promise<CentreClient> {
    return connectClient(this.servers, commonName);
  }

  async stop(): Promise<void> {
    this.client.close();
    await this.centre.stop("SIGTERM");
    await this.database.destroy();
    await this.servers.stop();
  }
}

/** With modes and owners: PostgreSQL looks at them. */
function copyFolder(from: string, to: string): void {
  execFileSync("cp", ["-a", "--reflink=auto", from, to]);
}

/** A request with everything that it must have. */
export function issueRequest(asked: DeepPartial<IssueDirectiveRequest>): IssueDirectiveRequest {
  return IssueDirectiveRequest.fromPartial({
    ...{
      action: "block",
      basis: "communications-law-41-1",
      reason: "fraud",
      expiresAtMs: Date.now() + dayMs,
    },
    ...asked,
  });
}

async function connectClient(servers: HubAndRegion, commonName: string): Promise<CentreClient> {
  const tls = await servers.tls(commonName);
  return new CentreClient(servers.ports.address("centre/grpc"), channelCredentials(tls), channelOptions);
}

async function prepareDatabase(
  servers: HubAndRegion,
): Promise<{ server: PostgresServer; passwordFile: string }> {
  const { program } = postgres("capital", { cpuMilli: 1, memoryMebibytes: 1 }, 1);
  if (program.kind !== "postgres") throw new Error("the blueprint's PostgreSQL is another program");
  mkdirSync(join(servers.folder, "secrets"), { recursive: true });
  const passwordFile = join(servers.folder, "secrets", "postgres");
  writeFileSync(passwordFile, "test-password", { mode: 0o600 });
  await initialise(join(servers.folder, "postgres"), program.server, passwordFile);
  return { server: program.server, passwordFile };
}
