import { hubStream } from "#proto/names.ts";
import type { Receipt } from "#proto/qalqan/events/v1/events.ts";
import { laneName } from "../../../services/coordination/domain/capital-state.ts";
import type { RegionKnowledge } from "../../../services/coordination/domain/nation.ts";
import type { Scheduler } from "../engine/scheduler.ts";
import type { Stored, Stream } from "../engine/store.ts";
import { decodeEvent, sameBytes } from "./decoded.ts";
import type { Wish } from "./centre-commands.ts";
import { epochsMax, openingOf } from "./epochs.ts";
import type { CapitalTables } from "./tables.ts";
import type { Capital } from "./world.ts";

/** What a person was told is accepted. */
export interface Acknowledged {
  readonly region: string;
  readonly wish: Wish;
  readonly revision: number;
}

/**
 * What really happened, as nobody in the nation can know it: the checker holds
 * against it what the nodes say. A problem begins with the invariant of
 * services/replication/SPEC.md that it breaks.
 */
export class Truth {
  readonly #scheduler: Scheduler;
  readonly problems: string[] = [];
  readonly acknowledged: Acknowledged[] = [];
  /** What no place holds any more that survived a restored backup: it was never promised. */
  readonly excused = new Set<Acknowledged>();
  readonly #digests = new Map<number, string>();
  /** Highest sequence of NATIONAL that a boot of a replica has applied. */
  readonly #applied = new Map<string, number>();
  readonly #performed = new Map<string, number>();
  /** The last message that was ever at the hub, by stream: regions may have it. */
  readonly published = new Map<string, number>();
  readonly stopped = new Map<string, string>();
  /** Lanes that a capital which was put back reads again, and how far, by `laneName`. */
  readonly #mustRead = new Map<string, number>();
  /** Regions of which a disk came back older than it was, and when last (virtual ms). */
  readonly olderDisks = new Map<string, number>();
  /** Regions in which something was lost with every copy of it; a replica may still remember it. */
  readonly lostWork = new Set<string>();
  /** An order of a central prosecutor may have been lost with every copy of it. */
  hasLostOrders = false;
  /** How often outbox and lane were brought together, and epochs were opened. */
  reconciled = 0;
  opened = 0;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  broken(invariant: string, what: string): void {
    const problem = `${invariant}: ${what}`;
    if (this.problems.includes(problem)) return;
    this.problems.push(problem);
    this.#scheduler.note("truth", problem);
  }

  /** A leader has committed a message of NATIONAL. */
  committed(sequence: number, digest: Uint8Array): void {
    this.#compare(sequence, digest, "the capital committed");
  }

  /** A replica has applied a message of NATIONAL. */
  applied(region: string, replica: string, bootId: string, sequence: number, digest: Uint8Array): void {
    this.#compare(sequence, digest, `${replica} of ${region} applied`);
    this.#applied.set(`${region} ${replica} ${bootId}`, sequence);
    const any = `${region} ${replica}`;
    this.#applied.set(any, Math.max(this.#applied.get(any) ?? 0, sequence));
  }

  /** A replica starts from its file, or with a table read anew. */
  startsAt(region: string, replica: string, bootId: string, sequence: number): void {
    this.#applied.set(`${region} ${replica} ${bootId}`, sequence);
  }

  #compare(sequence: number, digest: Uint8Array, who: string): void {
    const text = Buffer.from(digest).toString("hex");
    const known = this.#digests.get(sequence);
    if (known === undefined) this.#digests.set(sequence, text);
    else if (known !== text) this.broken("SYNC-4", `${who} ${sequence} with another digest than before`);
  }

  /** Messages of NATIONAL were lost before anybody but the capital had them, and orders with them. */
  forgetAfter(sequence: number): void {
    this.hasLostOrders = true;
    for (const known of this.#digests.keys()) if (known > sequence) this.#digests.delete(known);
  }

  /** A table differs from what the capital said of it. */
  differs(what: string): void {
    this.broken("SYNC-4", `the digest differs: ${what}`);
  }

  /** A receipt reached the capital. */
  receipt({ region, replica, bootId, nationalSequence, digest }: Receipt): void {
    // Where its lanes turned out to be others a replica adds to its boot id.
    const [boot] = bootId.split(".");
    const really = this.#applied.get(`${region} ${replica} ${boot}`) ?? 0;
    if (nationalSequence > really) {
      this.broken(
        "SYNC-7",
        `${replica} of ${region} claims NATIONAL ${nationalSequence}, and has applied ${really}`,
      );
    }
    const known = this.#digests.get(nationalSequence);
    if (known !== undefined && known !== Buffer.from(digest).toString("hex")) {
      this.broken("SYNC-4", `a receipt of ${replica} of ${region} has another digest at ${nationalSequence}`);
    }
  }

  /** The capital tells an author that a region enforces a message of NATIONAL. */
  told(region: RegionKnowledge, sequence: number, nowMs: number): void {
    for (const { replica } of region.book.readyReplicas(nowMs)) {
      const really = this.#applied.get(`${region.region} ${replica}`) ?? 0;
      if (really < sequence) {
        this.broken(
          "SYNC-7",
          `${region.region} is told to enforce ${sequence}, and ${replica} has applied ${really}`,
        );
      }
    }
  }

  /** The capital says that it has taken a lane in up to a sequence: what is there must be in its tables. */
  watermark(
    stream: string,
    { sequence, data }: { readonly sequence: number; readonly data: Uint8Array },
    { postgres }: Capital,
  ): void {
    const { body } = decodeEvent(data);
    if (body?.$case !== "directives") return;
    for (const { id, revision } of body.value.directives) {
      const known = postgres.database.state.opinions.get(id);
      if (known === undefined || (known.revision < revision && !known.revoked)) {
        this.broken(
          "SYNC-6",
          `${stream} is taken in up to ${sequence}, and the capital lacks ${id} revision ${revision}`,
        );
      }
    }
  }

  /** The hub has a lane up to a message, and the capital, put back to before that, takes its table from it. */
  mustRead(lane: string, upTo: number): void {
    this.#mustRead.set(lane, Math.max(this.#mustRead.get(lane) ?? 0, upTo));
  }

  /** A capital's database was put back, with what it had to read then. */
  putBack({ readTo, inbox }: CapitalTables): void {
    this.#mustRead.clear();
    for (const [lane, upTo] of readTo) if (upTo > (inbox.get(lane) ?? 0)) this.#mustRead.set(lane, upTo);
  }

  laneRead(lane: string, upTo: number): void {
    if (upTo >= (this.#mustRead.get(lane) ?? Infinity)) this.#mustRead.delete(lane);
  }

  /** A leader folds: it must have read again what the hub still has. */
  folds({ hub, postgres }: Capital): void {
    for (const [lane, upTo] of this.#mustRead) {
      const read = postgres.database.state.inbox.get(lane) ?? 0;
      // Later an older hub may not say any more that the region has gone on in another epoch.
      if (endedAt(hub, lane) <= read) this.#mustRead.delete(lane);
      const there = Math.min(upTo, hub.streams.find(upStream(lane))?.last ?? 0);
      if (read < there)
        this.broken("SYNC-15", `the capital folds, and has read ${lane} up to ${read} of ${there}`);
    }
  }

  /** A leader waits no more for lanes to be read again: none may be one of which it was told that no more comes. */
  readEnough({ hub, postgres }: Capital): void {
    this.#mustRead.clear();
    const { readTo, inbox } = postgres.database.state;
    for (const [lane, upTo] of readTo) {
      const read = inbox.get(lane) ?? 0;
      if (read < upTo && endedAt(hub, lane) <= read)
        this.broken("SYNC-15", `the capital waits for ${lane} up to ${upTo}, which ended at ${read}`);
    }
  }

  /** The hub took a message of a lane: what stands before it must be of the same history. */
  copied(copy: Stream, lane: Stream | undefined, { sequence, data }: Stored): void {
    const [here, before] = [lane?.get(sequence)?.data, lane?.get(sequence - 1)?.data];
    const there = copy.get(sequence - 1)?.data;
    if (here === undefined || before === undefined || there === undefined) return;
    if (sameBytes(here, data) && !sameBytes(before, there)) {
      this.broken("SYNC-3", `${copy.name} goes on at ${sequence} with another history than it has`);
    }
  }

  /** A request was carried out, not answered from its key. */
  performed(key: string): void {
    const times = (this.#performed.get(key) ?? 0) + 1;
    this.#performed.set(key, times);
    if (times > 1) this.broken("SYNC-2", `request ${key} was carried out ${times} times`);
  }

  /** After a database was restored its keys are older too: a request may be carried out again. */
  forgetPerformed(region: string): void {
    for (const key of this.#performed.keys()) if (key.startsWith(`${region} `)) this.#performed.delete(key);
  }

  /** A copy does not go on by itself. */
  stops(who: string, why: string): void {
    this.stopped.set(who, why);
  }

  goesOn(who: string): void {
    this.stopped.delete(who);
  }
}

function laneOf(name: string): Parameters<typeof laneName>[0] {
  const [region = "", lane, epoch] = name.split(" ");
  return { region, lane: lane === "urgent" ? "urgent" : "events", epoch: Number(epoch) };
}

/** The hub's stream of a lane, which `laneName` names. */
function upStream(name: string): string {
  const { lane, region, epoch } = laneOf(name);
  return hubStream.up(lane, region, epoch);
}

/** How far the hub had a lane when the region opened the epoch after it; Infinity: it has not. */
function endedAt(hub: Capital["hub"], lane: string): number {
  const { epoch, ...place } = laneOf(lane);
  for (let later = epoch + 1; later <= epochsMax; later += 1) {
    const name = laneName({ ...place, epoch: later });
    const opened = openingOf(hub.streams.find(upStream(name)));
    if (opened?.previousEpoch === epoch) return opened.hubLast;
  }
  return Infinity;
}
