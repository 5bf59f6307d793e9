import { Refusal } from "#domain/refusal.ts";
import type { Alarms } from "#platform/alarms.ts";
import { requirePerson, type TokenVerifier } from "#platform/identity.ts";
import { capital, type Person } from "#domain/vocabulary.ts";
import type { NationStatus, Statistics } from "#proto/qalqan/coordination/v1/coordination.ts";
import type { Archiver } from "./archive/archiver.ts";
import type { CapitalState } from "./domain/capital-state.ts";
import type { Command } from "./domain/commands.ts";
import type { ViewMoment } from "./domain/directive-view.ts";
import { judgeRegion, slowestTable, type RegionKnowledge } from "./domain/nation.ts";
import { statisticsOf } from "./domain/statistics-view.ts";
import { capitalEpoch } from "./epochs.ts";
import type { Leader } from "./leader.ts";
import type { NationRegion } from "./nation-file.ts";
import type { Database } from "./store/load.ts";
import { loadState } from "./store/start.ts";
import { readFigures } from "./store/statistics.ts";

/** A replica that does not lead reads the state again after so long. */
const followedStateMs = 1_000;

/** The parts of a running coordination that its methods use. */
export class Capital {
  readonly database: Database;
  /** Of the capital itself. */
  readonly alarms: Alarms;
  /** Set while this process leads. */
  leader: Leader | undefined;
  /** Writes sealed segments away while this process leads; undefined: there is no archive. */
  archive: Archiver | undefined;
  /** Names and places of the regions, as the nation's file says. */
  regions: readonly NationRegion[] = [];
  #followed: { state: CapitalState; readAtMs: number } | undefined;

  constructor(database: Database, alarms: Alarms) {
    this.database = database;
    this.alarms = alarms;
  }

  /** The same, but a token that is refused is counted for the audit, by the replica that leads. */
  watched(verify: TokenVerifier): TokenVerifier {
    return async (authorization) => {
      try {
        return await verify(authorization);
      } catch (error) {
        this.#refused("unknown person", "", "token");
        throw error;
      }
    };
  }

  #refused(actor: string, region: string, reason: string): void {
    const refused = { actor, region, what: "refused-access", detail: { service: "coordination", reason } };
    this.leader?.state.refusals.note(`${refused.what} ${actor} ${reason}`, refused, 1, Date.now());
  }

  /**
   * Carries out an order of a central prosecutor.
   *
   * @throws Refusal `forbidden`, `unavailable` where this process does not lead, or what the command throws
   */
  async carryOut<Result>(person: Person, command: Command<Result>): Promise<Result> {
    try {
      requirePerson(person, capital, ["central-prosecutor"]);
    } catch (error) {
      this.#refused(person.id, person.region, `not for ${person.role} of ${person.region}`);
      throw error;
    }
    if (this.leader === undefined) {
      throw new Refusal({
        code: "unavailable",
        field: "server",
        value: "",
        message: "this replica of coordination does not lead, and only the leader writes",
        remedy: "try again in a few seconds; the same request may be repeated without harm",
      });
    }
    return this.leader.carryOut(command);
  }

  async status(): Promise<NationStatus> {
    const nowMs = Date.now();
    const state = await this.#state(nowMs);
    const position = { committed: state.sequence, heartbeat: state.heartbeat, digests: state.digests };
    return {
      epoch: capitalEpoch,
      sequence: state.sequence,
      digest: Buffer.from(state.digest),
      regions: [...state.regions.values()]
        .toSorted((left, right) => (left.region < right.region ? -1 : 1))
        .map((region) => ({
          region: region.region,
          state: judgeRegion(region, position, nowMs),
          ...tableOf(region, nowMs),
          stalenessMs: region.heardAtMs === 0 ? -1 : Math.max(0, nowMs - region.heardAtMs),
          sinceMs: region.sinceMs,
          readyReplicas: region.book.readyReplicas(nowMs).length,
          eventsApplied: region.book.enforcedSequence("EVENTS", nowMs),
          urgentApplied: region.book.enforcedSequence("URGENT", nowMs),
          epoch: region.epoch,
          alarms: [...region.alarms],
          streams: [...region.streams],
        })),
      stopped: state.stop?.stopped ?? false,
      leader: this.leader !== undefined,
      alarms: this.alarms.list(),
      archive: [...(this.archive?.all ?? [])],
      atMs: nowMs,
    };
  }

  /** @param region slug or `unattributed`; empty: the nation */
  async statistics(region: string, sinceMs: number): Promise<Statistics> {
    const { calls, questions } = await readFigures(this.database, region, sinceMs, Date.now());
    return statisticsOf(calls, questions);
  }

  /** What views of this moment are made with. */
  async moment(): Promise<ViewMoment> {
    const nowMs = Date.now();
    const state = await this.#state(nowMs);
    const regions = [...state.regions.values()].map((region) => ({
      region: region.region,
      isAwaited: region.isAwaited(nowMs),
      isCutOff: region.isCutOff(nowMs),
    }));
    return { nowMs, regions: regions.toSorted((left, right) => (left.region < right.region ? -1 : 1)) };
  }

  async protectedNumbers() {
    const state = await this.#state(Date.now());
    return [...state.protectedNumbers.values()].toSorted((left, right) =>
      left.number < right.number ? -1 : 1,
    );
  }

  async #state(nowMs: number): Promise<CapitalState> {
    if (this.leader !== undefined) return this.leader.state;
    if (this.#followed === undefined || nowMs - this.#followed.readAtMs > followedStateMs) {
      this.#followed = { state: await loadState(this.database), readAtMs: nowMs };
    }
    return this.#followed.state;
  }
}

function tableOf(region: RegionKnowledge, nowMs: number): { sequence: number; digest: Buffer } {
  const { sequence, digest } = slowestTable(region, nowMs);
  return { sequence, digest: Buffer.from(digest) };
}
