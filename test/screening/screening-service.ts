import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Metadata, type Server } from "@grpc/grpc-js";
import { SetDigest } from "#domain/digest.ts";
import { NationalTable } from "#domain/national-table.ts";
import { call, channelCredentials, channelOptions } from "#platform/grpc-client.ts";
import { Handlers, serveGrpc } from "#platform/grpc-server.ts";
import { createTokenVerifier } from "#platform/identity.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { LaneProducer } from "#platform/producer.ts";
import { firstEpoch, hubStream, hubSubject, regionStream, type Lane } from "#proto/names.ts";
import {
  CentreService,
  type OverlayPart,
  type RefusedToken,
  type ReportRefusalsRequest,
} from "#proto/qalqan/centre/v1/centre.ts";
import {
  Calls,
  Directive,
  Event,
  NationalBatch,
  NationalHeartbeat,
  NationalRow,
  type CallRecord,
  type Counters,
  type DeepPartial,
  type Receipt,
} from "#proto/qalqan/events/v1/events.ts";
import type { DecisionAt } from "#proto/qalqan/events/v1/snapshot.ts";
import {
  ScreeningClient,
  ScreenRequest,
  type GetStateResponse,
  type ScreenResponse,
} from "#proto/qalqan/screening/v1/screening.ts";
import {
  appendPatiently,
  HubAndRegion,
  readAll,
  readiness,
  testLog,
  until,
  type Restartable,
} from "#test/replication/servers.ts";
import { storeSnapshot } from "#test/replication/stored-snapshot.ts";

const hourMs = 3_600_000;
const replica = "screening-0";

interface CentreSays {
  /** What centre answers to GetOverlay; undefined: it does not. */
  overlay: readonly OverlayPart[] | undefined;
  /** What it was told of refused tokens; undefined: it does not take it. */
  refused: RefusedToken[] | undefined;
}

/** A hub, a region with replication, and its screening, as they really run; centre answers GetOverlay alone. */
export class ScreenedRegion {
  readonly nation: HubAndRegion;
  readonly screening: Restartable;
  readonly replication: Restartable;
  readonly coordination: NatsConnection;
  readonly centre: NatsConnection;
  readonly centreSays: CentreSays;
  readonly #client: ScreeningClient;
  readonly #centreServer: Server;
  #table = new NationalTable("capital");

  private constructor(parts: {
    nation: HubAndRegion;
    screening: Restartable;
    replication: Restartable;
    coordination: NatsConnection;
    centre: NatsConnection;
    client: ScreeningClient;
    centreServer: Server;
    centreSays: CentreSays;
  }) {
    this.nation = parts.nation;
    this.screening = parts.screening;
    this.replication = parts.replication;
    this.coordination = parts.coordination;
    this.centre = parts.centre;
    this.#client = parts.client;
    this.#centreServer = parts.centreServer;
    this.centreSays = parts.centreSays;
  }

  /** Everything but screening runs afterwards, and the streams are there. */
  static async start(): Promise<ScreenedRegion> {
    const nation = await HubAndRegion.start();
    const [coordination, centre] = [await nation.connect("coordination"), await nation.connect("centre")];
    await nation.createHubStreams(coordination);
    const replication = await nation.service("replication");
    replication.start();
    await until(async () => (await readiness(nation.ports.address("replication/http"))).ready);
    const state = join(nation.folder, "state");
    const key = join(nation.folder, "region.key");
    mkdirSync(state);
    writeFileSync(key, randomBytes(32).toString("hex"));
    const screening = await nation.service("screening", {
      GRPC_LISTEN: nation.ports.address("screening/grpc"),
      STATE_DIRECTORY: state,
      REPLICA: replica,
      CENTRE_URL: nation.ports.address("centre/grpc"),
      REGION_KEY_FILE: key,
    });
    const tls = await nation.tls(`switch.${nation.region}`);
    const client = new ScreeningClient(
      nation.ports.address("screening/grpc"),
      channelCredentials(tls),
      channelOptions,
    );
    const centreSays: CentreSays = {
      refused: [],
      overlay: overlayOf([trunk("intl-1", "international"), trunk("dom-1", "domestic")]),
    };
    const centreServer = await serveCentre(nation, centreSays);
    const parts = { nation, screening, replication, coordination, centre, client, centreServer, centreSays };
    return new ScreenedRegion(parts);
  }

  async stop(): Promise<void> {
    this.#client.close();
    this.#centreServer.forceShutdown();
    await this.nation.stop();
  }

  /** Starts screening and waits until it is ready. */
  async startScreening(): Promise<void> {
    this.screening.start();
    await this.untilReady();
  }

  /** The capital says all the while how far NATIONAL is; a cut line keeps it from being heard. */
  async untilReady(address = this.nation.ports.address("screening/http")): Promise<void> {
    await until(async () => {
      this.heartbeat();
      return (await readiness(address)).ready;
    });
  }

  async readiness(): Promise<{ ready: boolean; why: string }> {
    return readiness(this.nation.ports.address("screening/http"));
  }

  /** What the capital says every five seconds. */
  heartbeat(sequence = this.#table.sequence): void {
    const heartbeat = NationalHeartbeat.fromPartial({ epoch: firstEpoch, sequence, atMs: Date.now() });
    this.coordination.publish(hubSubject.heartbeat, NationalHeartbeat.encode(heartbeat).finish());
  }

  /** What coordination does: applies to its own table, and publishes with the digest. */
  async publish(change: DeepPartial<NationalBatch>, wrongDigest = false): Promise<number> {
    const sequence = this.#table.sequence + 1;
    const batch = NationalBatch.fromPartial({ ...change, sequence, atMs: Date.now() });
    this.#table.apply(batch);
    batch.digestAfter = Buffer.from(wrongDigest ? new SetDigest().value() : this.#table.digest);
    const subject = hubSubject.national(firstEpoch);
    await appendPatiently(this.coordination, subject, sequence, NationalBatch.encode(batch).finish());
    return sequence;
  }

  /** What coordination does now and then: the table as it is, in the hub's SNAPSHOT. */
  async storeSnapshot(decisions: readonly DecisionAt[] = []): Promise<void> {
    const { sequence } = this.#table;
    const moment = { sequence, rows: this.#table.rows(), decisions };
    await storeSnapshot(this.coordination, moment);
  }

  /** A row of the capital's table that no message tells: the next digest is not what a region finds. */
  addSecretly(row: ReturnType<typeof entry>): void {
    const rows = [NationalRow.fromPartial(row)];
    this.#table.load({ rows, decisions: [], revokedBatches: [] });
  }

  /** Hub and region lose NATIONAL: the capital begins it with another history. Replication must not run. */
  async beginNationAnew(): Promise<void> {
    this.#table = new NationalTable("capital");
    await (await this.coordination.jetstreamManager()).streams.delete(hubStream.national(firstEpoch));
    const region = await this.nation.connect("replication");
    await (await region.jetstreamManager()).streams.delete(regionStream.national(firstEpoch));
    await this.nation.createHubStreams(this.coordination);
  }

  get digest(): Uint8Array {
    return this.#table.digest;
  }

  /** What centre does: writes an event into a lane. */
  async write(lane: Lane, body: NonNullable<Event["body"]>, epoch = firstEpoch): Promise<number> {
    const limit = AbortSignal.timeout(120_000);
    const producer = await LaneProducer.open(this.centre, lane, epoch, "centre", limit);
    return producer.append({ atMs: Date.now(), body }, limit);
  }

  async screen(question: DeepPartial<ScreenRequest>, metadata = new Metadata()): Promise<ScreenResponse> {
    const defaults = { callingNumber: "+442079460001", calledNumber: "+77010000001", trunk: "intl-1" };
    const request = ScreenRequest.fromPartial({ ...defaults, ...question });
    return call(this.#client.screen.bind(this.#client), request, { metadata, deadlineMs: 5_000 });
  }

  /** The stream of a switch. */
  stream() {
    return this.#client.screenStream();
  }

  async state(): Promise<GetStateResponse> {
    return call(this.#client.getState.bind(this.#client), {}, { deadlineMs: 5_000 });
  }

  /** Waits until this replica has applied a sequence of NATIONAL. */
  async untilApplied(sequence: number): Promise<void> {
    await until(async () => (await this.state()).nationalSequence >= sequence);
  }

  /** Everything that the replica wrote into EVENTS. */
  async written(epoch = firstEpoch): Promise<{ receipts: Receipt[]; counters: Counters[] }> {
    const events = (await readAll(this.centre, regionStream.lane("events", epoch))).map(({ data }) =>
      Event.decode(data),
    );
    const receipts = events.flatMap(({ body }) => (body?.$case === "receipt" ? [body.value] : []));
    const counters = events.flatMap(({ body }) => (body?.$case === "counters" ? [body.value] : []));
    return { receipts, counters };
  }

  /** The calls in LOCAL. */
  async calls(): Promise<CallRecord[]> {
    return (await readAll(this.centre, regionStream.local)).flatMap(({ data }) => Calls.decode(data).calls);
  }
}

async function serveCentre(nation: HubAndRegion, says: CentreSays): Promise<Server> {
  const keys = readFileSync((await nation.environment("screening"))["IDENTITY_KEYS_FILE"] ?? "", "utf8");
  const handlers = new Handlers(createTokenVerifier(keys), testLog, new AbortController().signal);
  const getOverlay = handlers.serverStream("GetOverlay", async function* () {
    if (says.overlay === undefined) throw new Error("centre is away");
    yield* says.overlay;
  });
  const reportRefusals = handlers.unary("ReportRefusals", ({ refused }: ReportRefusalsRequest) => {
    if (says.refused === undefined) throw new Error("centre is away");
    says.refused.push(...refused);
    return {};
  });
  const definition = {
    getOverlay: CentreService.getOverlay,
    reportRefusals: CentreService.reportRefusals,
  };
  const tls = await nation.tls(`centre.${nation.region}`);
  return serveGrpc(nation.ports.address("centre/grpc"), tls, [
    { definition, implementation: { getOverlay, reportRefusals } },
  ]);
}

/** Parts of GetOverlay, true for the beginning of both lanes. */
export function overlayOf(
  bodies: readonly NonNullable<Event["body"]>[],
  of = { regionEpoch: firstEpoch, eventsSequence: 0, urgentSequence: 0 },
): OverlayPart[] {
  const nothing = Buffer.alloc(0);
  const value = { ...of, parts: bodies.length, eventsHash: nothing, urgentHash: nothing };
  return [
    { part: { $case: "header", value } },
    ...bodies.map((body): OverlayPart => ({ part: { $case: "event", value: { outbox: 0, atMs: 0, body } } })),
  ];
}

/** A trunk that enforces. */
export function trunk(
  id: string,
  direction: "international" | "domestic",
  revision = 1,
): NonNullable<Event["body"]> {
  const value = {
    trunk: id,
    revision,
    direction,
    operator: "carrier",
    sbcAddress: "",
    mode: "enforce",
    percent: 100,
  };
  return { $case: "trunkSet", value };
}

/** A national entry about one number. */
export function entry(target: string, action: string, directive: string) {
  const value = {
    target,
    slot: "measure",
    action,
    directive,
    reason: "fraud",
    expiresAtMs: Date.now() + hourMs,
  };
  return {
    row: { $case: "entry" as const, value: { ...value, revision: 1, authorRole: "regional-prosecutor" } },
  };
}

/** An own directive, in force at once. */
export function ownDirective(id: string, target: string, action: string): NonNullable<Event["body"]> {
  const value = Directive.fromPartial({
    ...{ id, revision: 1, target, action, scope: "nation", reason: "fraud", authorRole: "operator" },
    expiresAtMs: Date.now() + hourMs,
  });
  return { $case: "directives", value: { directives: [value] } };
}

/** Questions counted: for each source and minute the flush that came last, as coordination does. */
export function countedQuestions(flushes: readonly Counters[]): number {
  const latest = new Map<string, { flush: number; questions: number }>();
  for (const { source, flush, minutes } of flushes) {
    for (const { minute, counts } of minutes) {
      const known = latest.get(`${source} ${minute}`);
      if (known !== undefined && known.flush >= flush) continue;
      const questions = counts.reduce((sum, count) => sum + count.questions, 0);
      latest.set(`${source} ${minute}`, { flush, questions });
    }
  }
  return [...latest.values()].reduce((sum, { questions }) => sum + questions, 0);
}

/** Keys of the answered calls, repeats included. */
export function answeredKeys(flushes: readonly Counters[]): string[] {
  return flushes.flatMap(({ calls }) => calls.map(({ key }) => Buffer.from(key).toString("hex")));
}
