import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nkeys } from "nats";
import pg from "pg";
import { NationalTable } from "#domain/national-table.ts";
import type { Role } from "#domain/vocabulary.ts";
import { hubAccounts, hubConfiguration } from "#infra/blueprint/nats-configuration.ts";
import type { KeyChange } from "#infra/blueprint/region-lists.ts";
import { Authority } from "#infra/local/authority.ts";
import { DataFolder } from "#infra/local/data-folder.ts";
import { mintToken, prepareIdentity, type IdentityFiles } from "#infra/local/identity.ts";
import { Ports } from "#infra/local/ports.ts";
import { findTool } from "#infra/toolchain/tools.ts";
import type { DatabaseConfig } from "#platform/database.ts";
import { bearer, channelCredentials, channelOptions } from "#platform/grpc-client.ts";
import { connectNats, type NatsConnection } from "#platform/nats.ts";
import { firstEpoch, hubStream, hubSubject, type Lane } from "#proto/names.ts";
import { CoordinationClient } from "#proto/qalqan/coordination/v1/coordination.ts";
import { Event, NationalBatch, RegionBatch, type Enforcement } from "#proto/qalqan/events/v1/events.ts";
import { password, programs, runLogged, startPostgres } from "./capital-processes.ts";
import {
  appendPatiently,
  lastOf,
  readAll,
  readiness,
  Restartable,
  testLog,
  until,
} from "#test/replication/servers.ts";
import { TestKeys } from "./signing-keys.ts";

import { pageAt, type Page } from "./page.ts";

export { until } from "#test/replication/servers.ts";

const checkout = join(import.meta.dirname, "..", "..");

/** Hub, PostgreSQL and coordination as they really run; the regions are played by the test. */
export class CapitalUnderTest {
  readonly folder: DataFolder;
  readonly #ports: Ports;
  readonly #identity: IdentityFiles;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #lastSequences = new Map<string, number>();
  readonly #outboxes = new Map<string, number>();
  readonly #closers: (() => unknown)[] = [];
  readonly hub: Restartable;
  readonly postgres: Restartable;
  readonly coordination: Restartable;
  readonly nats: NatsConnection;
  readonly client: CoordinationClient;
  readonly keys: TestKeys;

  private constructor(parts: CapitalParts) {
    this.folder = parts.folder;
    this.#ports = parts.ports;
    this.#identity = parts.identity;
    this.#environment = parts.environment;
    this.hub = parts.hub;
    this.postgres = parts.postgres;
    this.coordination = new Restartable(() =>
      this.#run("coordination", process.execPath, this.#main, parts.environment),
    );
    this.nats = parts.nats;
    this.client = parts.client;
    this.keys = parts.keys;
  }

  static async start(
    regions: readonly string[],
    more: Record<string, string> = {},
  ): Promise<CapitalUnderTest> {
    const capital = new CapitalUnderTest(await prepare(more));
    capital.writeRegions(regions);
    capital.coordination.start();
    await capital.ready();
    return capital;
  }

  get #main(): readonly string[] {
    return [join(checkout, "services/coordination/main.ts")];
  }

  #run(name: string, file: string, parameters: readonly string[], environment: Record<string, string> = {}) {
    return runLogged(this.folder, name, file, parameters, environment);
  }

  /** A second process of the service beside the first, on ports of its own. */
  async secondReplica(): Promise<{ process: Restartable; client: CoordinationClient; http: string }> {
    const environment = {
      ...this.#environment,
      GRPC_LISTEN: this.#ports.address("second/grpc"),
      HTTP_LISTEN: this.#ports.address("second/http"),
    };
    const replica = new Restartable(() => this.#run("second", process.execPath, this.#main, environment));
    replica.start();
    this.#closers.push(() => replica.stop("SIGKILL"));
    const address = this.#ports.address("second/grpc");
    const client = new CoordinationClient(address, channelCredentials(this.#tls()), channelOptions);
    this.#closers.push(() => client.close());
    return { process: replica, client, http: this.#ports.address("second/http") };
  }

  async ready(): Promise<void> {
    await until(async () => (await readiness(this.http)).ready);
  }

  get http(): string {
    return this.#ports.address("capital/http");
  }

  /** What the nation's page shows now. */
  async page(): Promise<Page> {
    const authorization = `Bearer ${await this.tokenText("central-prosecutor")}`;
    return pageAt(this.http, { authorization });
  }

  #tls() {
    const read = (name: string) => readFileSync(this.#environment[name] ?? "", "utf8");
    return { ca: read("TLS_CA_FILE"), cert: read("TLS_CERT_FILE"), key: read("TLS_KEY_FILE") };
  }

  /** @param keyChanges what became of the keys of some of them */
  writeRegions(
    slugs: readonly string[],
    keyChanges: Readonly<Record<string, readonly KeyChange[]>> = {},
  ): void {
    const place = { iso: "KZ-00", en: "Region", kk: "Өңір", ru: "Регион", lat: 51, lon: 71 };
    const file = this.#environment["REGIONS_FILE"] ?? "";
    writeFileSync(
      file,
      JSON.stringify(slugs.map((slug) => ({ slug, ...place, keyChanges: keyChanges[slug] }))),
    );
  }

  /** What a region's replication does: one event, as the next message of its lane at the hub. */
  async send(region: string, lane: Lane, ...bodies: NonNullable<Event["body"]>[]): Promise<void> {
    for (const body of bodies) await this.sendAs("centre", region, lane, body);
  }

  /** The same for an event of another producer of the region. */
  async sendAs(
    producer: string,
    region: string,
    lane: Lane,
    body: NonNullable<Event["body"]>,
  ): Promise<void> {
    const key = `${lane}.${region}.${producer}`;
    const outbox = (this.#outboxes.get(key) ?? 0) + 1;
    this.#outboxes.set(key, outbox);
    const bytes = Event.encode({ outbox, atMs: Date.now(), body }).finish();
    await this.sendBytes(region, lane, body.$case, bytes, producer);
  }

  async sendBytes(
    region: string,
    lane: Lane,
    type: string,
    bytes: Uint8Array,
    producer = "centre",
  ): Promise<void> {
    const key = `${lane}.${region}`;
    const last =
      this.#lastSequences.get(key) ?? (await lastOf(this.nats, hubStream.up(lane, region, firstEpoch)));
    const subject = hubSubject.up(lane, region, firstEpoch, `${producer}.${type}`);
    await appendPatiently(this.nats, subject, last + 1, bytes);
    this.#lastSequences.set(key, last + 1);
  }

  /** All messages of NATIONAL, each verified: its sequence, and the digest of the table after it. */
  async national(): Promise<{ batches: NationalBatch[]; table: NationalTable }> {
    const messages = await this.#messages(hubStream.national(firstEpoch));
    const table = new NationalTable("capital");
    const batches = messages.map(({ sequence, data }) => {
      const batch = NationalBatch.decode(data);
      if (batch.sequence !== sequence) throw new Error(`message ${sequence} says it is ${batch.sequence}`);
      if (!table.apply(batch))
        throw new Error(`the digest after message ${sequence} is not that of the table`);
      return batch;
    });
    return { batches, table };
  }

  /** Since when regions enforce decisions, as a region was told, in order. */
  async enforcements(region: string): Promise<Enforcement[]> {
    return (await this.#toldRegions(region)).filter(({ nationalSequence }) => nationalSequence > 0);
  }

  /** The regions of the nation, as a region was told when it or they joined. */
  async nation(region: string): Promise<string[]> {
    const joined = (await this.#toldRegions(region)).filter(({ nationalSequence }) => nationalSequence === 0);
    return joined.map((row) => row.region).toSorted();
  }

  async #toldRegions(region: string): Promise<Enforcement[]> {
    const messages = await this.#messages(hubStream.forRegion(region, firstEpoch));
    return messages.flatMap(({ sequence, data }) => {
      const batch = RegionBatch.decode(data);
      if (batch.sequence !== sequence) throw new Error(`message ${sequence} says it is ${batch.sequence}`);
      return batch.enforcements;
    });
  }

  async #messages(stream: string) {
    return (await lastOf(this.nats, stream)) === 0 ? [] : readAll(this.nats, stream);
  }

  /** A screening replica's receipt for everything that NATIONAL holds now. */
  async sendReceipt(
    region: string,
    change: { sequence?: number; digest?: Uint8Array; atMs?: number } = {},
  ): Promise<void> {
    const { batches } = await this.national();
    const sequence = change.sequence ?? batches.length;
    const atMs = change.atMs ?? Date.now();
    await this.send(region, "events", {
      $case: "receipt",
      value: {
        region,
        replica: "screening-0",
        bootId: `${region}-boot`,
        release: "test",
        ready: true,
        nationalEpoch: firstEpoch,
        nationalSequence: sequence,
        digest: Buffer.from(change.digest ?? batches[sequence - 1]?.digestAfter ?? new Uint8Array(32)),
        regionEpoch: firstEpoch,
        eventsSequence: 0,
        urgentSequence: 0,
        applied: sequence === 0 ? [] : [{ stream: "NATIONAL", sequence, atMs }],
        atMs,
      },
    });
  }

  async token(role: Role, region = "capital", id = `${role}.${region}`) {
    return bearer(await mintToken(this.#identity.privateKey, { id, role, region, name: "Test" }, 600));
  }

  /** @param seconds until it ends; below 0: it has ended */
  async tokenText(role: Role, region = "capital", seconds = 600): Promise<string> {
    const person = { id: `${role}.${region}`, role, region, name: "Test" };
    return mintToken(this.#identity.privateKey, person, seconds);
  }

  async query<Row extends pg.QueryResultRow>(text: string): Promise<Row[]> {
    const client = new pg.Client({ ...this.#databaseAddress, ssl: false });
    await client.connect();
    try {
      return (await client.query<Row>(text)).rows;
    } finally {
      await client.end();
    }
  }

  /** A copy of PostgreSQL as it is now, to come back to; coordination must not run. */
  async keepDatabase(): Promise<void> {
    await this.#withoutPostgres((storage) => cpSync(storage, `${storage}.kept`, { recursive: true }));
  }

  /** PostgreSQL is the kept copy again; coordination must not run. */
  async restoreDatabase(): Promise<void> {
    await this.#withoutPostgres((storage) => {
      rmSync(storage, { recursive: true });
      cpSync(`${storage}.kept`, storage, { recursive: true });
      // PostgreSQL refuses a folder that others may read.
      chmodSync(storage, 0o700);
    });
  }

  async #withoutPostgres(work: (storage: string) => void): Promise<void> {
    await this.postgres.stop("SIGINT");
    work(join(this.folder.root, "database"));
    this.postgres.start();
    await until(async () => (await this.query("select 1")).length === 1);
  }

  /** How PostgreSQL is opened beside coordination. */
  get database(): DatabaseConfig {
    const { host, port, user, database } = this.#databaseAddress;
    return {
      DATABASE_URL: `postgres://${user}@${host}:${port}/${database}`,
      DATABASE_PASSWORD_FILE: password,
    };
  }

  get #databaseAddress() {
    return {
      host: "127.0.0.1",
      port: this.#ports.port("postgres"),
      user: "qalqan",
      database: "qalqan",
      password,
    };
  }

  log(name = "coordination"): string {
    return readFileSync(join(this.folder.logs, `${name}.log`), "utf8");
  }

  async stop(): Promise<void> {
    for (const close of this.#closers) await close();
    this.client.close();
    await this.coordination.stop("SIGKILL");
    await this.nats.close();
    await this.hub.stop("SIGKILL");
    await this.postgres.stop("SIGKILL");
    rmSync(this.folder.root, { recursive: true, force: true });
  }
}

interface CapitalParts {
  readonly folder: DataFolder;
  readonly ports: Ports;
  readonly identity: IdentityFiles;
  readonly environment: Record<string, string>;
  readonly hub: Restartable;
  readonly postgres: Restartable;
  readonly nats: NatsConnection;
  readonly client: CoordinationClient;
  readonly keys: TestKeys;
}

async function prepare(more: Record<string, string>): Promise<CapitalParts> {
  const folder = DataFolder.create(mkdtempSync(join(tmpdir(), "qalqan-test-")));
  const ports = new Ports(folder);
  await ports.prepare([
    ...["hub/client", "hub/leaf", "hub/monitor", "postgres"],
    ...["capital/http", "capital/grpc", "second/http", "second/grpc"],
  ]);
  const authority = new Authority(folder.authority);
  await authority.prepare();
  const identity = prepareIdentity(folder.identity);
  const hubFiles = await authority.ensure(join(folder.root, "hub"), "nats.capital", "workload");
  const ownFiles = await authority.ensure(
    join(folder.root, "coordination"),
    "coordination.capital",
    "workload",
  );

  const seedFile = join(folder.root, "coordination.seed");
  const user = nkeys.createUser();
  writeFileSync(seedFile, user.getSeed());
  const system = nkeys.createUser().getPublicKey();
  const hubFile = join(folder.root, "hub.conf");
  // The test writes the regions' lanes, as their replication does through their own accounts.
  const regions = nkeys.createUser();
  const accounts = hubAccounts({
    coordination: [user.getPublicKey()],
    system: [system],
    leaf: new Map(),
  }).replace("users: [", `users: [\n      { nkey: ${regions.getPublicKey()} }`);
  writeFileSync(join(folder.root, "accounts.conf"), accounts);
  const place = {
    listen: (port: string) => ports.address(`hub/${port}`),
    caFile: hubFiles.ca,
    lineCaFile: hubFiles.ca,
    certificateFile: hubFiles.certificate,
    keyFile: hubFiles.key,
    storageFolder: join(folder.root, "jetstream"),
    secretFile: "accounts.conf",
  };
  writeFileSync(hubFile, hubConfiguration(programs().nats, place));
  const hub = new Restartable(() => runLogged(folder, "hub", findTool("nats-server"), ["-c", hubFile]));
  hub.start();

  const postgres = await startPostgres(folder, ports);
  const tls = {
    ca: readFileSync(ownFiles.ca, "utf8"),
    cert: readFileSync(ownFiles.certificate, "utf8"),
    key: readFileSync(ownFiles.key, "utf8"),
  };
  const natsUrl = `tls://${ports.address("hub/client")}`;
  const seed = { NATS_URL: natsUrl, NATS_SEED_FILE: new TextDecoder().decode(regions.getSeed()) };
  const nats = await connectNats(seed, tls, "test", testLog);
  const address = ports.address("capital/grpc");
  const client = new CoordinationClient(address, channelCredentials(tls), channelOptions);
  const keys = new TestKeys(folder.root);
  const environment = {
    QALQAN_SERVICE: "coordination",
    QALQAN_REGION: "capital",
    QALQAN_RELEASE: "test",
    LOG_LEVEL: "info",
    TLS_CA_FILE: ownFiles.ca,
    TLS_CERT_FILE: ownFiles.certificate,
    TLS_KEY_FILE: ownFiles.key,
    IDENTITY_KEYS_FILE: identity.keys,
    HTTP_LISTEN: ports.address("capital/http"),
    GRPC_LISTEN: address,
    NATS_URL: natsUrl,
    NATS_SEED_FILE: seedFile,
    DATABASE_URL: `postgres://qalqan@${ports.address("postgres")}/qalqan`,
    DATABASE_PASSWORD_FILE: join(folder.root, "password"),
    REGIONS_FILE: join(folder.root, "regions.json"),
    ...keys.environment,
    ...more,
  };
  return { folder, ports, identity, environment, hub, postgres, nats, client, keys };
}
