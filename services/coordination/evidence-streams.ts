import { leafHash } from "#domain/merkle.ts";
import { capital } from "#domain/vocabulary.ts";
import type { ObjectReader } from "#platform/archive/object-store.ts";
import { readArchive, type ArchiveStart } from "#platform/archive/read-archive.ts";
import { RememberedObjects } from "#platform/archive/remembered-objects.ts";
import { SegmentBroken, type ArchivedStream } from "#platform/archive/segment.ts";
import { batchGet, streamRange } from "#platform/batch-get.ts";
import { findMessages, type FoundMessage } from "#platform/find-messages.ts";
import type { NatsConnection } from "#platform/nats.ts";
import { hubStream, hubSubject, streamAsk, type Lane } from "#proto/names.ts";
import type { ArchivedMessage } from "#proto/qalqan/archive/v1/archive.ts";
import { capitalEpoch } from "./epochs.ts";
import { nationalMessageAt, nationalMessagesNaming } from "./store/evidence.ts";
import type { Database } from "./store/load.ts";
import { firstLogged } from "./store/seals.ts";

/** One lane of a region in one epoch. */
export interface LaneOfRegion {
  readonly region: string;
  readonly lane: Lane;
  readonly epoch: number;
}

/** What is searched for evidence. */
export interface EvidencePlaces {
  readonly database: Database;
  readonly connection: NatsConnection;
  /** Undefined: what was trimmed is nowhere. */
  readonly archive: ObjectReader | undefined;
}

const national: ArchivedStream = { site: capital, stream: "national", epoch: capitalEpoch };

/**
 * The streams of the nation from their first message on, for one search: what
 * the hub and the log in PostgreSQL have let go of is read from the archive.
 */
export class EvidenceStreams {
  readonly database: Database;
  readonly #connection: NatsConnection;
  readonly #archive: ObjectReader | undefined;

  constructor({ database, connection, archive }: EvidencePlaces) {
    this.database = database;
    this.#connection = connection;
    this.#archive = archive === undefined ? undefined : new RememberedObjects(archive);
  }

  /**
   * The messages of a lane under some subjects, those of one subject in order.
   *
   * @param subjects what comes after epoch and region; may have wildcards for one token
   */
  async *lane(
    { region, lane, epoch }: LaneOfRegion,
    subjects: readonly string[],
    from: ArchiveStart,
  ): AsyncGenerator<FoundMessage> {
    const name = hubStream.up(lane, region, epoch);
    const named = subjects.map((rest) => hubSubject.up(lane, region, epoch, rest));
    const of = { site: region, stream: lane, epoch };
    for await (const message of this.#archived(of, from, await this.#firstAtHub(name)))
      if (named.some((pattern) => isUnder(message.subject, pattern))) yield message;
    for (const subject of named) yield* findMessages(this.#connection, name, subject, from);
  }

  /** Leaves of a range of a lane, as far as its messages are still somewhere. */
  async laneLeaves(
    { region, lane, epoch }: LaneOfRegion,
    first: number,
    last: number,
  ): Promise<readonly Uint8Array[]> {
    const name = hubStream.up(lane, region, epoch);
    const of = { site: region, stream: lane, epoch };
    const leaves = await this.#archivedLeaves(of, first, last, await this.#firstAtHub(name));
    while (leaves.length <= last - first) {
      const next = first + leaves.length;
      const messages = await batchGet(this.#connection, streamAsk.get(name), next, last - next + 1);
      if (messages[0]?.sequence !== next) break;
      leaves.push(...messages.map(({ data }) => leafHash(data)));
    }
    return leaves;
  }

  /** Messages of NATIONAL in which an id stands somewhere: texts stand in them as they are. */
  async nationalNaming(
    id: string,
    sinceMs: number,
  ): Promise<readonly { readonly sequence: number; readonly bytes: Uint8Array }[]> {
    const found: { readonly sequence: number; readonly bytes: Uint8Array }[] = [];
    for await (const { sequence, data } of this.#archived(
      national,
      { atMs: sinceMs },
      await this.#firstLogged(),
    ))
      if (data.includes(id)) found.push({ sequence, bytes: data });
    return [...found, ...(await nationalMessagesNaming(this.database, id))];
  }

  async nationalAt(sequence: number): Promise<Uint8Array | undefined> {
    const logged = await nationalMessageAt(this.database, sequence);
    if (logged !== undefined) return logged;
    for await (const message of this.#archived(national, { sequence }, sequence + 1)) return message.data;
    return undefined;
  }

  async nationalLeaves(first: number, last: number): Promise<readonly Uint8Array[]> {
    const leaves = await this.#archivedLeaves(national, first, last, await this.#firstLogged());
    for (let sequence = first + leaves.length; sequence <= last; sequence += 1) {
      const bytes = await nationalMessageAt(this.database, sequence);
      if (bytes === undefined) break;
      leaves.push(leafHash(bytes));
    }
    return leaves;
  }

  async #archivedLeaves(of: ArchivedStream, first: number, last: number, before: number) {
    const leaves: Uint8Array[] = [];
    for await (const { sequence, data } of this.#archived(
      of,
      { sequence: first },
      Math.min(before, last + 1),
    )) {
      if (sequence !== first + leaves.length) break;
      leaves.push(leafHash(data));
    }
    return leaves;
  }

  /** What the archive holds of a stream before a sequence. */
  async *#archived(of: ArchivedStream, from: ArchiveStart, before: number): AsyncGenerator<ArchivedMessage> {
    const isOver = before <= ("sequence" in from ? from.sequence : 1);
    if (this.#archive === undefined || isOver) return;
    let next: number | undefined;
    for await (const messages of readArchive(this.#archive, of, undefined, from)) {
      for (const message of messages) {
        if (message.sequence >= before) return;
        next = message.sequence + 1;
        const isLater =
          "sequence" in from ? message.sequence >= from.sequence : message.storedAtMs >= from.atMs;
        if (isLater) yield message;
      }
    }
    // Trimmed is what is archived: the two meet, unless the end of the archive is gone.
    if (next !== undefined && next < before && before < Infinity)
      throw new SegmentBroken(`${of.site}/${of.stream}: messages ${next} to ${before - 1} are missing`);
  }

  async #firstAtHub(stream: string): Promise<number> {
    return (await streamRange(this.#connection, streamAsk.info(stream))).first;
  }

  /** The log ends where nothing more is trimmed of it: empty, all of it is in the archive. */
  async #firstLogged(): Promise<number> {
    return (await firstLogged(this.database, 1)) ?? Infinity;
  }
}

function isUnder(subject: string, pattern: string): boolean {
  const [tokens, wanted] = [subject.split("."), pattern.split(".")];
  return (
    tokens.length === wanted.length && wanted.every((token, at) => token === "*" || token === tokens[at])
  );
}
