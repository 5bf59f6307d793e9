import type { SealingKey } from "#domain/seal.ts";
import { sendAlarms } from "#platform/alarm-sender.ts";
import type { Alarms } from "#platform/alarms.ts";
import { epochsOfLanes, openedEpoch } from "#platform/epochs.ts";
import { pause, untilAborted } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import { onDisconnect } from "#platform/nats.ts";
import { LaneProducer } from "#platform/producer.ts";
import { ensureStream, regionStreams } from "#platform/streams.ts";
import { epochsListed, firstEpoch, lanes, type Lane } from "#proto/names.ts";
import { awayPollMs, epochsLeftMin, openedAlarmMs, settleWaitMs } from "./config.ts";
import { copyUp, type LaneFork, type UpLane } from "./consumers/up.ts";
import { planEpoch, type EpochKnowledge } from "./domain/epoch.ts";
import type { Ends } from "./ends.ts";
import { sendHeartbeats } from "./heartbeat.ts";
import { NewestSeal } from "./newest-seal.ts";
import type { LaneStates } from "./lane-states.ts";
import { highestUsedAtHub, openEpoch, type Opening } from "./open-epoch.ts";
import { OldEpochs } from "./old-epochs.ts";
import { Patience } from "./patience.ts";
import { OwnEvents } from "./own-events.ts";
import { StreamReports } from "./stream-reports.ts";
import { LaneSealer } from "./sealer.ts";

export interface RegionContext {
  readonly ends: Ends;
  readonly region: string;
  readonly release: string;
  readonly states: LaneStates;
  readonly alarms: Alarms;
  readonly key: SealingKey;
  readonly log: Log;
}

/** What ended a stay in an epoch, besides the signal. */
type End =
  { readonly kind: "lost" } | { readonly kind: "fork"; readonly fork: LaneFork; readonly hubUsed: number };

const upName = (lane: Lane): string => `up ${lane}`;

/**
 * Keeps a region's lanes until the signal: their copies at the hub, their seals
 * and what replication says in them, all in the epoch that is opened; and opens
 * the next one when the lanes forked. Begins anew whenever the region's server
 * was away, since it may have come back with another store.
 */
export class RegionLanes {
  readonly #of: RegionContext;
  readonly #capitalEpoch: number;
  #epoch = firstEpoch;
  #ready = false;
  /** Up to these messages a stored heartbeat tells the numbers of the producers. */
  #told: Readonly<Record<Lane, number>> = { urgent: 0, events: 0 };

  constructor(of: RegionContext, capitalEpoch: number) {
    this.#of = of;
    this.#capitalEpoch = capitalEpoch;
  }

  /** Up to which message of each lane nothing is lost by trimming that a producer goes on from. */
  get told(): Readonly<Record<Lane, number>> {
    return this.#told;
  }

  /** The region's streams are there. It does not depend on the capital: a region that is cut off is whole. */
  get isReady(): boolean {
    return this.#ready;
  }

  /** The epoch that is opened. */
  get epoch(): number {
    return this.#epoch;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const epoch = await this.#prepare(signal);
      if (epoch === undefined) return;
      this.#epoch = epoch;
      this.#ready = true;
      const end = await this.#stay(epoch, signal);
      if (end?.kind === "fork") await this.#openNext(epoch, end, signal);
    }
  }

  /** Creates what is missing, waiting until the region's JetStream answers; the epoch that is opened. */
  async #prepare(signal: AbortSignal): Promise<number | undefined> {
    const { region } = this.#of.ends;
    while (!signal.aborted) {
      try {
        const epoch = await openedEpoch(region);
        const manager = await region.jetstreamManager({ checkAPI: false });
        for (const stream of regionStreams(epoch, this.#capitalEpoch)) await ensureStream(manager, stream);
        return epoch;
      } catch (error) {
        this.#of.log.info({ reason: String(error) }, "waiting for the region's streams");
        await pause(awayPollMs, signal);
      }
    }
    return undefined;
  }

  /** Everything that goes on in one epoch, until it ends. */
  async #stay(epoch: number, signal: AbortSignal): Promise<End | undefined> {
    const { ends } = this.#of;
    const stay = new AbortController();
    const over = AbortSignal.any([signal, stay.signal]);
    let end: End | undefined;
    const leave = (how: End) => {
      end ??= how;
      stay.abort();
    };
    this.#warnOfLastEpochs(epoch);
    const forget = onDisconnect(ends.region, () => leave({ kind: "lost" }));
    const parts: Promise<unknown>[] = [
      this.#copyLanes(epoch, over).then((found) => found && leave(found)),
      this.#speak(epoch, over),
      this.#endAlarm(epoch, over),
      new OldEpochs(ends, this.#of.states, epoch).run(over),
    ];
    try {
      await Promise.all(parts);
    } catch (error) {
      if (!over.aborted) throw error;
    } finally {
      forget();
      stay.abort();
      await Promise.allSettled(parts);
    }
    return end;
  }

  /** Copies the lanes up: those of earlier epochs too, for a hub that came back older than they are. */
  async #copyLanes(epoch: number, over: AbortSignal): Promise<End | undefined> {
    const { states, alarms, ends, region } = this.#of;
    const hubUsed = await this.#hubUsed(over);
    const known = await this.#known(epoch, hubUsed, over);
    if (hubUsed === undefined || known === undefined) return undefined;
    const planned = planEpoch(known, undefined);
    if (planned.kind === "open") {
      const detail = `the hub knows epoch ${hubUsed}, the region is in ${epoch}`;
      return { kind: "fork", fork: { why: planned.why, detail }, hubUsed };
    }
    const up = (lane: Lane, of: number): UpLane => {
      const isCurrent = of === epoch;
      const name = isCurrent ? upName(lane) : `${upName(lane)} of epoch ${of}`;
      const patience = new Patience();
      return { ends, lane, region, epoch: of, isCurrent, name, states, alarms, patience };
    };
    const attempt = new AbortController();
    const copying = AbortSignal.any([over, attempt.signal]);
    const earlier = (await epochsOfLanes(ends.region)).filter(({ epoch: one }) => one < epoch);
    const earlierCopies = earlier.flatMap(({ epoch: one, lanes: present }) =>
      present.map(async (lane) => {
        // Forked is what an earlier epoch may be: the later one was opened for that.
        if ((await copyUp(up(lane, one), copying)) !== undefined) states.forget(up(lane, one).name);
      }),
    );
    const forks = lanes.map(async (lane) => {
      const fork = await copyUp(up(lane, epoch), copying);
      if (fork !== undefined) attempt.abort();
      return fork;
    });
    const [fork] = (await Promise.all(forks)).filter((one) => one !== undefined);
    attempt.abort();
    await Promise.all(earlierCopies);
    for (const { epoch: one } of earlier) for (const lane of lanes) states.forget(up(lane, one).name);
    return fork && { kind: "fork", fork, hubUsed };
  }

  /** Asks the hub until it answers; undefined when the signal aborts first. */
  async #hubUsed(over: AbortSignal): Promise<number | undefined> {
    const { ends, states } = this.#of;
    while (!over.aborted) {
      try {
        return await highestUsedAtHub(ends, epochsListed);
      } catch (error) {
        for (const lane of lanes) states.set(upName(lane), "away", String(error));
        await pause(awayPollMs, over);
      }
    }
    return undefined;
  }

  async #known(opened: number, hubUsed = 0, over: AbortSignal): Promise<EpochKnowledge | undefined> {
    while (!over.aborted) {
      try {
        const created = (await epochsOfLanes(this.#of.ends.region)).at(0)?.epoch ?? opened;
        return { opened, created: Math.max(opened, created), hubUsed };
      } catch {
        await pause(awayPollMs, over);
      }
    }
    return undefined;
  }

  /** Seals, heartbeats and alarms. A lane that lost its end is filled up before anything of ours is added to it. */
  async #speak(epoch: number, over: AbortSignal): Promise<void> {
    const { ends, region, release, states, alarms, key } = this.#of;
    const untilMs = Date.now() + settleWaitMs;
    this.#told = { urgent: 0, events: 0 };
    const isSettled = () => lanes.every((lane) => states.stateOf(upName(lane)) === "copying");
    while (!isSettled() && Date.now() < untilMs) if (!(await pause(awayPollMs, over))) return;
    const parts = lanes.map(async (lane) => {
      const own = new OwnEvents(await LaneProducer.open(ends.region, lane, epoch, "replication", over));
      const sealer = new LaneSealer(ends.region, own, key, { region, lane, epoch });
      const said = [sealer.run(states, over)];
      if (lane === "events") {
        const reports = new StreamReports(
          ends,
          { regionEpoch: epoch, capitalEpoch: this.#capitalEpoch },
          states,
          alarms,
        );
        const of = { region, regionEpoch: epoch, release };
        const newest = new NewestSeal(ends.region, this.#capitalEpoch);
        said.push(sendHeartbeats(ends.region, own, of, reports, newest, (told) => (this.#told = told), over));
        const source = { region, source: "replication" };
        said.push(sendAlarms(alarms, source, async ({ body }) => body && own.append(body, over), over));
      }
      await Promise.all(said);
    });
    await Promise.all(parts);
  }

  /** That an epoch was opened is news for a day. */
  async #endAlarm(epoch: number, over: AbortSignal): Promise<void> {
    if (await pause(openedAlarmMs, over)) this.#of.alarms.clear("epoch-opened", `epoch ${epoch}`);
  }

  async #openNext(
    epoch: number,
    { fork, hubUsed }: End & { kind: "fork" },
    signal: AbortSignal,
  ): Promise<void> {
    const { ends, states, alarms, log } = this.#of;
    const lost = new AbortController();
    // The region's server may come back with another store: then everything is looked at anew.
    const forget = onDisconnect(ends.region, () => lost.abort());
    const over = AbortSignal.any([signal, lost.signal]);
    alarms.raise("lane-forked", "lanes", fork.detail);
    for (const lane of lanes) states.set(upName(lane), "refilling", `a new epoch is opened: ${fork.detail}`);
    try {
      const known = await this.#known(epoch, hubUsed, over);
      const plan = known && planEpoch(known, fork.why);
      if (plan?.kind !== "open") return;
      if (plan.epoch > epochsListed) return await this.#waitForPerson(plan.epoch, over);
      await this.#openAtLast({ ...plan, hubUsed }, over);
      if (over.aborted) return;
      log.info(
        { event: "epoch-opened", ...plan, detail: fork.detail },
        "a new epoch of the lanes was opened",
      );
      alarms.clear("lane-forked", "lanes");
      const detail = `the lanes go on in epoch ${plan.epoch} (${plan.why}): ${fork.detail}`;
      alarms.raise("epoch-opened", `epoch ${plan.epoch}`, detail);
    } finally {
      forget();
    }
  }

  /** Tries until it is done, or the signal. */
  async #openAtLast(opening: Opening, over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      try {
        await openEpoch(this.#of.ends, this.#of.region, opening);
        return;
      } catch (error) {
        this.#of.log.info({ reason: String(error) }, "the new epoch waits");
        await pause(awayPollMs, over);
      }
    }
  }

  /** Each fork uses one up, and the hub's accounts list so many: a person has time while some are left. */
  #warnOfLastEpochs(epoch: number): void {
    if (epochsListed - epoch > epochsLeftMin) return;
    const detail = `epoch ${epoch} of ${epochsListed} that the hub's accounts list is in use: before the last one is, roll out a release that lists more (epochsListed), to the hub and here`;
    this.#of.alarms.raise("waits-for-person", "epochs", detail);
  }

  async #waitForPerson(epoch: number, over: AbortSignal): Promise<void> {
    const detail = `epoch ${epoch} is not in the hub's accounts, which list ${epochsListed}; what is written waits in the region until a release that lists more is rolled out to the hub and here`;
    this.#of.alarms.raise("waits-for-person", "lanes", detail);
    for (const lane of lanes) this.#of.states.set(upName(lane), "stopped", detail);
    await untilAborted(over);
  }
}
