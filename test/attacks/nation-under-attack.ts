import { readFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { firstEpoch, hubStream, hubSubject, type Lane } from "#proto/names.ts";
import { Event, NationalBatch, type Decision } from "#proto/qalqan/events/v1/events.ts";
import { connectAs, startServers, steal, temporaryFolder, until } from "#test/infra/small-nation.ts";
import { lastOf, readAll } from "#test/replication/servers.ts";
import type { StolenLine } from "./stolen-line.ts";

/** A line of the capital's audit. */
export interface AuditLine {
  readonly actor: string;
  readonly region: string;
  readonly reason?: string;
  readonly count?: number;
}

/**
 * A real capital (hub, PostgreSQL, coordination) and the servers of two
 * regions. What a region says comes over a line that is opened with its real
 * credentials and obeys nobody.
 */
export class NationUnderAttack {
  readonly nation: Awaited<ReturnType<typeof startServers>>;
  readonly hub: Awaited<ReturnType<typeof connectAs>>;
  readonly #folder: ReturnType<typeof temporaryFolder>;
  readonly #database: pg.Client;
  readonly #lines = new Map<string, StolenLine>();

  private constructor(
    nation: NationUnderAttack["nation"],
    hub: NationUnderAttack["hub"],
    folder: ReturnType<typeof temporaryFolder>,
    database: pg.Client,
  ) {
    this.nation = nation;
    this.hub = hub;
    this.#folder = folder;
    this.#database = database;
  }

  static async start(): Promise<NationUnderAttack> {
    const folder = temporaryFolder();
    const nation = await startServers(
      folder.path,
      ["astana", "almaty"],
      ["nats", "postgres", "coordination"],
    );
    const hub = await connectAs(nation, "capital", "coordination");
    const [host, port] = (nation.run.sites["capital"]?.["postgres"]?.["sql"] ?? "").split(":");
    const password = readFileSync(
      join(folder.path, "capital", "secrets", "postgres-password"),
      "utf8",
    ).trim();
    const database = new pg.Client({
      host,
      port: Number(port),
      user: "qalqan",
      database: "qalqan",
      password,
    });
    await database.connect();
    // A leader that has just begun says something to each region, once.
    const welcomed = async (region: string) =>
      (await lastOf(hub, hubStream.forRegion(region, firstEpoch))) > 0;
    await until("both regions are welcomed", async () =>
      (await Promise.all(["astana", "almaty"].map(welcomed))).every(Boolean),
    );
    return new NationUnderAttack(nation, hub, folder, database);
  }

  /** The line by which a region's events are sent here; opened anew when it was ended. */
  async line(region: string): Promise<StolenLine> {
    const known = this.#lines.get(region);
    if (known?.isOpen === true) return known;
    const line = await steal(this.nation, region);
    this.#lines.set(region, line);
    return line;
  }

  /** Sends events in a region's own lane, with its own key; the sequence of the last. */
  async send(region: string, lane: Lane, ...bodies: NonNullable<Event["body"]>[]): Promise<number> {
    let last = 0;
    for (const body of bodies) {
      const bytes = Event.encode({ outbox: 1, atMs: Date.now(), body }).finish();
      last = await this.sendBytes(region, lane, bytes);
    }
    return last;
  }

  async sendBytes(region: string, lane: Lane, bytes: Uint8Array): Promise<number> {
    const line = await this.line(region);
    const answer = await line.ask(hubSubject.up(lane, region, firstEpoch, "centre.event"), bytes);
    const { seq } = JSON.parse(answer ?? "{}") as { seq?: number };
    if (seq === undefined) throw new Error(`not stored: ${answer ?? line.errors.join()}`);
    return seq;
  }

  /** The decisions on a directive, in their order. */
  async decisions(directive: string): Promise<Decision[]> {
    return (await this.batches()).flatMap(({ decisions }) =>
      decisions.filter((decision) => decision.directive === directive),
    );
  }

  async batches(): Promise<NationalBatch[]> {
    const stream = hubStream.national(firstEpoch);
    if ((await lastOf(this.hub, stream)) === 0) return [];
    return (await readAll(this.hub, stream)).map(({ data }) => NationalBatch.decode(data));
  }

  async lastDecision(directive: string): Promise<Decision | undefined> {
    return (await this.decisions(directive)).at(-1);
  }

  async decided(directive: string, decision: string): Promise<Decision> {
    await until(`${directive} is ${decision}`, async () => {
      return (await this.lastDecision(directive))?.decision === decision;
    });
    const last = await this.lastDecision(directive);
    if (last === undefined) throw new Error(`no decision on ${directive}`);
    return last;
  }

  /** Messages of a lane that coordination has taken in. */
  async readTo(region: string, lane: Lane): Promise<number> {
    const { rows } = await this.#database.query<{ sequence: string }>(
      "select sequence from inbox where region = $1 and lane = $2 and epoch = $3",
      [region, lane, firstEpoch],
    );
    return Number(rows[0]?.sequence ?? 0);
  }

  /** Waits until coordination has taken a message in. */
  async taken(region: string, lane: Lane, sequence: number): Promise<void> {
    await until(
      `${lane} of ${region} is read`,
      async () => (await this.readTo(region, lane)) >= sequence,
      60_000,
    );
  }

  async query<Row extends pg.QueryResultRow>(text: string): Promise<Row[]> {
    return (await this.#database.query<Row>(text)).rows;
  }

  async audit(what: string): Promise<AuditLine[]> {
    const rows = await this.query<{ actor: string; region: string; detail: string }>(
      `select actor, region, detail from audit where what = '${what}' order by number`,
    );
    return rows.map(({ actor, region, detail }) => ({
      ...(JSON.parse(detail) as { reason?: string; count?: number }),
      actor,
      region,
    }));
  }

  /** Refusals of one reason that the audit has, summed up. */
  async refused(region: string, reason: string): Promise<number> {
    return (await this.audit("refused"))
      .filter((line) => line.region === region && line.reason === reason)
      .reduce((sum, { count = 0 }) => sum + count, 0);
  }

  async alarms(): Promise<{ code: string; subject: string }[]> {
    const answer = await fetch(
      `http://${this.nation.run.sites["capital"]?.["coordination"]?.["http"]}/v1/status`,
    );
    return ((await answer.json()) as { alarms: { code: string; subject: string }[] }).alarms;
  }

  async isAlarmed(code: string, subject: string): Promise<boolean> {
    return (await this.alarms()).some((alarm) => alarm.code === code && alarm.subject === subject);
  }

  /** Last sequence of a stream of the hub. */
  last(stream: string): Promise<number> {
    return lastOf(this.hub, stream);
  }

  async stop(): Promise<void> {
    for (const line of this.#lines.values()) line.close();
    await this.#database.end();
    await this.hub.close();
    await this.nation.stop();
    this.#folder[Symbol.dispose]();
  }
}
