import { openedEpoch } from "#platform/epochs.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { LaneProducer } from "#platform/producer.ts";
import { firstEpoch, hubStream, hubSubject, lanes, regionStream, type Lane } from "#proto/names.ts";
import { Event, NationalBatch } from "#proto/qalqan/events/v1/events.ts";
import type { Alarm } from "#proto/qalqan/events/v1/sync.ts";
import {
  appendPatiently,
  HubAndRegion,
  lastOf,
  readAll,
  readiness,
  until,
  type Restartable,
} from "./servers.ts";

/** A hub and a region with a running replication, and what a test does with them. */
export class ReplicatedRegion {
  readonly servers: HubAndRegion;
  readonly coordination: NatsConnection;
  readonly centre: NatsConnection;
  readonly replication: Restartable;
  /** Batches that centre said are revoked, by lane: what must never be lost. */
  readonly said: Record<Lane, string[]> = { urgent: [], events: [] };

  private constructor(
    servers: HubAndRegion,
    coordination: NatsConnection,
    centre: NatsConnection,
    replication: Restartable,
  ) {
    this.servers = servers;
    this.coordination = coordination;
    this.centre = centre;
    this.replication = replication;
  }

  static async start(): Promise<ReplicatedRegion> {
    const servers = await HubAndRegion.start();
    const coordination = await servers.connect("coordination");
    const centre = await servers.connect("centre");
    await servers.createHubStreams(coordination);
    const replication = await servers.service("replication");
    const started = new ReplicatedRegion(servers, coordination, centre, replication);
    replication.start();
    await until(async () => (await started.readiness()).ready);
    return started;
  }

  async readiness(): Promise<{ ready: boolean; why: string }> {
    return readiness(this.servers.ports.address("replication/http"));
  }

  /** Centre writes into both lanes of the epoch that it knows. */
  async say(count: number, epoch?: number): Promise<void> {
    let in_ = epoch;
    await until(async () => {
      in_ ??= await openedEpoch(this.centre);
      return true;
    });
    for (const lane of lanes) {
      const signal = AbortSignal.timeout(120_000);
      const producer = await LaneProducer.open(this.centre, lane, in_ ?? firstEpoch, "centre", signal);
      for (let index = 0; index < count; index += 1) {
        const batch = `${lane}-${this.said[lane].length}`;
        const value = { batch, person: "p", role: "operator", reason: "", atMs: 1 };
        await producer.append({ atMs: 1, body: { $case: "batchRevocation", value } }, signal);
        this.said[lane].push(batch);
      }
    }
  }

  /** Batches that stand in the hub's lanes, in any epoch, and how often. */
  async heardAtHub(lane: Lane, upTo = 4): Promise<Map<string, number>> {
    const heard = new Map<string, number>();
    for (let epoch = firstEpoch; epoch <= upTo; epoch += 1) {
      const stream = hubStream.up(lane, this.servers.region, epoch);
      for (const batch of await batchesIn(this.coordination, stream))
        heard.set(batch, (heard.get(batch) ?? 0) + 1);
    }
    return heard;
  }

  /** Everything that centre said is at the hub. */
  async untilHeard(upTo?: number): Promise<void> {
    await until(async () => {
      for (const lane of lanes) {
        const heard = await this.heardAtHub(lane, upTo);
        if (!this.said[lane].every((batch) => heard.has(batch))) return false;
      }
      return true;
    });
  }

  async untilEpoch(epoch: number): Promise<void> {
    await until(async () => (await openedEpoch(this.centre)) === epoch);
  }

  /** Batches that stand in a lane of the region, in their order. */
  async inRegion(lane: Lane, epoch: number): Promise<string[]> {
    return batchesIn(this.centre, regionStream.lane(lane, epoch));
  }

  /** Events of that body in a lane of the region. */
  async bodies(lane: Lane, epoch: number, name: string): Promise<NonNullable<Event["body"]>[]> {
    const messages = await readAll(this.centre, regionStream.lane(lane, epoch));
    return messages
      .map(({ data }) => Event.decode(data).body)
      .filter((body) => body !== undefined)
      .filter(({ $case }) => $case === name);
  }

  /** The alarms that replication told last. */
  async alarms(epoch: number): Promise<Alarm[]> {
    const last = (await this.bodies("events", epoch, "alarms")).at(-1);
    return last?.$case === "alarms" ? last.value.alarms : [];
  }

  /** Both ends of both lanes hold the same. */
  async untilSame(epoch: number): Promise<void> {
    for (const lane of lanes) {
      await until(async () => {
        const there = await readAll(this.coordination, hubStream.up(lane, this.servers.region, epoch));
        const here = await readAll(this.centre, regionStream.lane(lane, epoch));
        return (
          there.length === here.length &&
          here.every(({ data }, index) => Buffer.compare(data, there[index]?.data ?? Buffer.of()) === 0)
        );
      });
    }
  }

  /** Coordination appends the next messages to NATIONAL. */
  async publish(count: number): Promise<void> {
    const stream = hubStream.national(firstEpoch);
    const last = await lastOf(this.coordination, stream);
    for (let sequence = last + 1; sequence <= last + count; sequence += 1) {
      const bytes = NationalBatch.encode(NationalBatch.fromPartial({ sequence, atMs: sequence })).finish();
      await appendPatiently(this.coordination, hubSubject.national(firstEpoch), sequence, bytes);
    }
  }
}

async function batchesIn(connection: NatsConnection, stream: string): Promise<string[]> {
  const manager = await connection.jetstreamManager({ checkAPI: false });
  const names = await manager.streams.names().next();
  if (!names.includes(stream)) return [];
  return (await readAll(connection, stream)).flatMap(({ data }) => {
    const { body } = Event.decode(data);
    return body?.$case === "batchRevocation" ? [body.value.batch] : [];
  });
}
