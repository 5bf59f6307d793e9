import { setImmediate as turn } from "node:timers/promises";
import { leafHash } from "#domain/merkle.ts";
import {
  endOfChain,
  judgeSeal,
  sealCovers,
  sealFaultText,
  sealMessagesMax,
  type Seal,
  type SealFault,
  type SealKeys,
} from "#domain/seal.ts";
import { wantsSeal } from "#domain/unsealed.ts";
import type { Alarms } from "#platform/alarms.ts";
import { batchGet, streamRange } from "#platform/batch-get.ts";
import { pause, Wake } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { hubStream, hubSubject, lanes, streamAsk, type Lane } from "#proto/names.ts";
import { Event } from "#proto/qalqan/events/v1/events.ts";
import type { AuditLine } from "./domain/changes.ts";
import { LaneSeals } from "./domain/lane-seals.ts";
import { readSigningKeys } from "./signing-keys.ts";
import type { Lead } from "./store/lead.ts";
import type { Database } from "./store/load.ts";
import { loadBrokenSeals, loadVerifiedLanes, writeVerifiedLanes } from "./store/seals.ts";

/** How often it is kept how far lanes are verified (ms). */
const keepEveryMs = 1_000;
const retryWaitMs = 500;
const askWaitMs = 2_000;
/** A seal that proves nothing stays an alarm for so long (ms); the audit keeps it for ever. */
const brokenShownMs = 24 * 3_600_000;
/** Of one lane one broken seal a minute goes into the audit, with the number of those before it (ms). */
const brokenToldEveryMs = 60_000;
/** The file of keys is read again for a key that is not known, at most so often (ms). */
const keysReadEveryMs = 1_000;

/** A message of a lane as coordination reads it. */
export interface WitnessedMessage {
  readonly region: string;
  readonly lane: Lane;
  readonly epoch: number;
  readonly sequence: number;
  readonly subject: string;
  readonly event: Event | undefined;
  /** `leafHash` of its bytes. */
  readonly leaf: Uint8Array;
  readonly storedAtMs: number;
}

export interface VerifierParts {
  readonly database: Database;
  readonly connection: NatsConnection;
  readonly log: Log;
  readonly alarms: Alarms;
  readonly keysFile: string;
  /** What waits for a seal longer than this is without one (ms). */
  readonly sealMissingMs: number;
}

/** Puts a line into the audit; resolves when it is there. */
type Audit = (line: AuditLine) => Promise<void>;

/** Faults of a seal that its site did not make: the chain goes on as if it were not there. */
const foreign: readonly SealFault[] = ["malformed", "other-stream", "unknown-key", "bad-signature"];

interface BrokenTelling {
  untold: number;
  toldAtMs: number;
  /** When the newest one was found. */
  brokenAtMs: number;
}

/**
 * Verifies the seals of the regions beside the fold: what a lane says is taken
 * in whether its seal is good or not, since the account says who may speak;
 * seals are the proof for later, and one that proves nothing is named. While
 * lanes are read each message costs one hash; the rest is done in turns.
 */
export class SealVerifier {
  readonly #parts: VerifierParts;
  readonly #lanes = new Map<string, LaneSeals>();
  readonly #changed = new Set<LaneSeals>();
  readonly #broken = new Map<LaneSeals, BrokenTelling>();
  readonly #wake = new Wake();
  #keys: SealKeys;
  #keysReadAtMs = 0;
  #keptAtMs = 0;

  private constructor(parts: VerifierParts, keys: SealKeys) {
    this.#parts = parts;
    this.#keys = keys;
  }

  /** Reads how far each lane is verified. @throws SigningKeysInvalid */
  static async open(parts: VerifierParts): Promise<SealVerifier> {
    const verifier = new SealVerifier(parts, await readSigningKeys(parts.keysFile));
    for (const { region, lane, epoch, sequence, last, hash, keyId } of await loadVerifiedLanes(
      parts.database,
    )) {
      const of = { stream: lane, site: region, epoch };
      verifier.#lanes.set(nameOf(of), new LaneSeals(of, { last, hash, keyId }, sequence));
    }
    const sinceMs = Date.now() - brokenShownMs;
    for (const { region, detail, atMs } of await loadBrokenSeals(parts.database, sinceMs)) {
      const { lane, epoch, text } = JSON.parse(detail) as { lane: Lane; epoch: number; text: string };
      const seals = verifier.#laneOf({ region, lane, epoch });
      verifier.#broken.set(seals, { untold: 0, toldAtMs: atMs, brokenAtMs: atMs });
      parts.alarms.raise("seal-broken", nameOf(seals.of), text);
    }
    return verifier;
  }

  /** Takes in the next message of a lane. */
  saw(message: WitnessedMessage): void {
    const { region, epoch, lane, sequence, subject, leaf, event, storedAtMs } = message;
    const seals = this.#laneOf({ region, lane, epoch });
    const body = event?.body;
    // Where replication's own subject has it: a seal that was fed again belongs to another epoch.
    const isSeal = body?.$case === "seal" && subject === sealSubject(region, lane, epoch);
    const seal = isSeal ? body.value : undefined;
    seals.saw({ sequence, leaf, seal, wantsSeal: wantsSeal(body), storedAtMs });
    this.#lookForMissing(region, epoch);
    if (seal === undefined && !seals.mustFetch) return;
    this.#changed.add(seals);
    this.#wake.notify();
  }

  /** As they were read last; the capital's own among them. */
  get keys(): SealKeys {
    return this.#keys;
  }

  /** How far a lane is verified, for whoever trims it; 0: not at all. */
  verified(region: string, lane: Lane, epoch: number): number {
    return this.#lanes.get(nameOf({ stream: lane, site: region, epoch }))?.end.last ?? 0;
  }

  /** Verifies what waits until the signal. @throws LeaderReplaced */
  async run(lead: Lead, audit: Audit, signal: AbortSignal): Promise<void> {
    const touched = new Set<LaneSeals>();
    while (!signal.aborted) {
      await this.#wake.wait(keepEveryMs, signal);
      for (const lane of this.#changed) {
        this.#changed.delete(lane);
        touched.add(lane);
        await this.#verify(lane, audit, signal);
      }
      await this.#keep(lead, touched);
      this.#forgetBroken(Date.now());
    }
  }

  /** Verifies what waits of a lane. While the hub is away it stays as it is. */
  async #verify(lane: LaneSeals, audit: Audit, signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        const next = lane.nextWaiting() ?? (await this.#fetchSeal(lane));
        if (next === undefined || signal.aborted) return;
        const fault = await this.#judge(lane, next.seal);
        if (fault !== undefined) await this.#tell(lane, next, fault, audit);
        if (fault === undefined || !foreign.includes(fault)) lane.end = endOfChain(next.seal);
        lane.sealAt = next.sequence;
        await turn();
      }
    } catch (error) {
      this.#parts.log.info({ lane: nameOf(lane.of), reason: String(error) }, "a seal waits to be verified");
      this.#changed.add(lane);
      await pause(retryWaitMs, signal);
    }
  }

  async #judge(lane: LaneSeals, seal: Seal): Promise<SealFault | undefined> {
    let fault = judgeSeal(seal, lane.of, lane.end, this.#keys);
    if (fault === "unknown-key" && (await this.#readKeys()))
      fault = judgeSeal(seal, lane.of, lane.end, this.#keys);
    // What was trimmed before it was verified, after a restored database, is not missing.
    if (fault === "other-range" && (await this.#isTrimmed(lane, lane.end.last + 1)))
      fault = judgeSeal(seal, lane.of, undefined, this.#keys);
    if (fault !== undefined) return fault;
    const leaves = lane.leavesOf(seal.first, seal.last) ?? (await this.#fetchLeaves(lane, seal));
    if (sealCovers(seal, leaves)) return undefined;
    return leaves.length === 0 && (await this.#isTrimmed(lane, seal.first)) ? undefined : "other-root";
  }

  async #isTrimmed({ of }: LaneSeals, sequence: number): Promise<boolean> {
    const stream = hubStream.up(laneNamed(of.stream), of.site, of.epoch);
    const { first } = await streamRange(this.#parts.connection, streamAsk.info(stream), askWaitMs);
    return first > sequence;
  }

  async #readKeys(): Promise<boolean> {
    const nowMs = Date.now();
    if (nowMs - this.#keysReadAtMs < keysReadEveryMs) return false;
    this.#keysReadAtMs = nowMs;
    try {
      this.#keys = await readSigningKeys(this.#parts.keysFile);
      return true;
    } catch (error) {
      this.#parts.log.warn({ reason: String(error) }, "the signing keys cannot be read; those before stay");
      return false;
    }
  }

  /** The next seal of the lane as the hub has it, while there may be one before those that were kept. */
  async #fetchSeal(lane: LaneSeals): Promise<{ sequence: number; seal: Seal } | undefined> {
    if (!lane.mustFetch) return undefined;
    const { stream, site, epoch } = lane.of;
    const name = laneNamed(stream);
    const request = { seq: lane.sealAt + 1, next_by_subj: sealSubject(site, name, epoch) };
    const subject = streamAsk.get(hubStream.up(name, site, epoch));
    const answer = await this.#parts.connection.request(subject, JSON.stringify(request), {
      timeout: askWaitMs,
    });
    const code = answer.headers?.code ?? 0;
    if (code !== 0 && code !== 404) throw new Error(`${subject} answered ${code}`);
    const sequence = code === 404 ? Infinity : Number(answer.headers?.get("Nats-Sequence"));
    if (sequence > lane.fetchTo) {
      lane.fetchTo = 0;
      return lane.nextWaiting();
    }
    const { body } = Event.decode(answer.data);
    if (body?.$case !== "seal") throw new TypeError(`message ${sequence} of ${nameOf(lane.of)} is no seal`);
    return { sequence, seal: body.value };
  }

  /** Leaves of the messages that a seal covers, as far as the hub still has them. */
  async #fetchLeaves({ of }: LaneSeals, { first, last }: Seal): Promise<Uint8Array[]> {
    const subject = streamAsk.get(hubStream.up(laneNamed(of.stream), of.site, of.epoch));
    const leaves: Uint8Array[] = [];
    while (leaves.length < Math.min(sealMessagesMax, last - first + 1)) {
      const messages = await batchGet(this.#parts.connection, subject, first + leaves.length);
      if (messages[0]?.sequence !== first + leaves.length) break;
      for (const { sequence, data } of messages) if (sequence <= last) leaves.push(leafHash(data));
    }
    return leaves;
  }

  async #tell(
    lane: LaneSeals,
    { sequence, seal: { first, last } }: { readonly sequence: number; readonly seal: Seal },
    fault: SealFault,
    audit: Audit,
  ): Promise<void> {
    const { stream, site, epoch } = lane.of;
    const text = `the seal at ${sequence} over messages ${first} to ${last} ${sealFaultText(fault)}; what it covers is enforced and not proven, see the audit of the capital`;
    const nowMs = Date.now();
    const telling = this.#broken.get(lane) ?? { untold: 0, toldAtMs: 0, brokenAtMs: nowMs };
    this.#broken.set(lane, { ...telling, brokenAtMs: nowMs, untold: telling.untold + 1 });
    this.#parts.alarms.raise("seal-broken", nameOf(lane.of), text);
    if (nowMs - telling.toldAtMs < brokenToldEveryMs) return;
    const before = telling.untold;
    const detail = JSON.stringify({ lane: stream, epoch, sequence, first, last, fault, before, text });
    const actor = `stream ${hubStream.up(laneNamed(stream), site, epoch)}`;
    await audit({ actor, role: "", region: site, what: "seal-broken", detail });
    this.#broken.set(lane, { untold: 0, toldAtMs: nowMs, brokenAtMs: nowMs });
  }

  #forgetBroken(nowMs: number): void {
    for (const [lane, { brokenAtMs }] of this.#broken) {
      if (nowMs - brokenAtMs < brokenShownMs) continue;
      this.#broken.delete(lane);
      this.#parts.alarms.clear("seal-broken", nameOf(lane.of));
    }
  }

  /** Events come, and no seal of them for too long. EVENTS has a heartbeat every five seconds: it is the clock. */
  #lookForMissing(region: string, epoch: number): void {
    const heardAtMs = this.#lanes.get(nameOf({ stream: "events", site: region, epoch }))?.storedAtMs ?? 0;
    for (const lane of lanes) {
      const seals = this.#lanes.get(nameOf({ stream: lane, site: region, epoch }));
      if (seals === undefined) continue;
      const sinceMs = seals.missingSinceMs(heardAtMs, this.#parts.sealMissingMs);
      const name = nameOf(seals.of);
      if (sinceMs === undefined) this.#parts.alarms.clear("seal-missing", name);
      else {
        const since = new Date(sinceMs).toISOString();
        this.#parts.alarms.raise(
          "seal-missing",
          name,
          `what came since ${since} is not sealed by the region`,
        );
      }
    }
  }

  async #keep(lead: Lead, touched: Set<LaneSeals>): Promise<void> {
    const nowMs = Date.now();
    if (touched.size === 0 || nowMs - this.#keptAtMs < keepEveryMs) return;
    this.#keptAtMs = nowMs;
    const kept = [...touched].map(({ of, end, sealAt }) => ({
      ...{ region: of.site, lane: laneNamed(of.stream), epoch: of.epoch, sequence: sealAt },
      ...{ last: end.last, hash: end.hash, keyId: end.keyId },
    }));
    touched.clear();
    await writeVerifiedLanes(this.#parts.database, lead, kept);
  }

  #laneOf({ region, lane, epoch }: { region: string; lane: Lane; epoch: number }): LaneSeals {
    const of = { stream: lane, site: region, epoch };
    const known = this.#lanes.get(nameOf(of));
    if (known !== undefined) return known;
    const seals = new LaneSeals(of);
    this.#lanes.set(nameOf(of), seals);
    return seals;
  }
}

const nameOf = ({ site, stream, epoch }: LaneSeals["of"]): string => `${site} ${stream} ${epoch}`;
const laneNamed = (stream: string): Lane => (stream === "events" ? "events" : "urgent");
const sealSubject = (region: string, lane: Lane, epoch: number): string =>
  hubSubject.up(lane, region, epoch, "replication.seal");
