import { Wake } from "./scheduler.ts";

/** One message of a stream. */
export interface Stored {
  readonly sequence: number;
  readonly subject: string;
  readonly data: Uint8Array;
  readonly storedAtMs: number;
}

/** Why nothing was stored. */
export type Refused = "wrong-last" | "full" | "no-stream";

/** What an append expects. */
export interface Expectation {
  /** Last sequence of the whole stream. */
  readonly last?: number;
  /** Last sequence under `<producer>.`: a producer's own subjects. */
  readonly lastOfProducer?: { readonly producer: string; readonly last: number };
}

/**
 * A stream as JetStream keeps it with `sync_interval: always`: what can be read
 * or was acknowledged is on the disk, and an append is stored as a whole or
 * not at all. Subjects are `<producer>.<type>` after lane and epoch.
 */
export class Stream {
  readonly name: string;
  /** Refuses what does not fit, and drops nothing. */
  bytesMax: number;
  first = 1;
  #messages: Stored[] = [];
  #bytes = 0;
  readonly #lastOfProducer = new Map<string, number>();
  readonly changed = new Wake();
  /** Called after each append, as `republish` does. */
  republish: ((message: Stored) => void) | undefined;

  constructor(name: string, bytesMax: number) {
    this.name = name;
    this.bytesMax = bytesMax;
  }

  get last(): number {
    return this.first + this.#messages.length - 1;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @returns the sequence, or why it was refused */
  append(subject: string, data: Uint8Array, expected: Expectation, nowMs: number): number | Refused {
    return this.appendBatch([{ subject, data }], expected, nowMs);
  }

  /** All messages or none. @returns the last one's sequence, or why they were refused */
  appendBatch(
    batch: readonly { readonly subject: string; readonly data: Uint8Array }[],
    { last, lastOfProducer }: Expectation,
    nowMs: number,
  ): number | Refused {
    if (last !== undefined && last !== this.last) return "wrong-last";
    if (lastOfProducer !== undefined && lastOfProducer.last !== this.lastOf(lastOfProducer.producer)) {
      return "wrong-last";
    }
    const bytes = batch.reduce((sum, { data }) => sum + data.length, 0);
    if (this.#bytes + bytes > this.bytesMax) return "full";
    for (const { subject, data } of batch) {
      const message = { sequence: this.last + 1, subject, data, storedAtMs: nowMs };
      this.#messages.push(message);
      this.#bytes += data.length;
      this.#lastOfProducer.set(producerOf(subject), message.sequence);
      this.republish?.(message);
    }
    this.changed.notify();
    return this.last;
  }

  get(sequence: number): Stored | undefined {
    return this.#messages[sequence - this.first];
  }

  /** Sequence of the last message of a producer that is still there; 0: none. */
  lastOf(producer: string): number {
    const known = this.#lastOfProducer.get(producer) ?? 0;
    return known >= this.first ? known : 0;
  }

  /** Messages from a sequence on, as a batch of direct gets gives them. */
  read(from: number, max: number): Stored[] {
    const start = Math.max(0, from - this.first);
    return this.#messages.slice(start, start + max);
  }

  /** Purge up to a sequence: an empty stream goes on there. */
  purgeBefore(sequence: number): void {
    if (sequence <= this.first) return;
    const dropped = this.#messages.splice(0, sequence - this.first);
    this.#bytes -= dropped.reduce((sum, { data }) => sum + data.length, 0);
    this.first = sequence;
  }

  /** The disk had not what it said it had. */
  loseTail(count: number): void {
    this.restore({
      first: this.first,
      messages: this.#messages.slice(0, Math.max(0, this.#messages.length - count)),
    });
  }

  backup(): StreamBackup {
    return { first: this.first, messages: [...this.#messages] };
  }

  restore({ first, messages }: StreamBackup): void {
    this.first = first;
    this.#messages = [...messages];
    this.#bytes = messages.reduce((sum, { data }) => sum + data.length, 0);
    this.#lastOfProducer.clear();
    for (const { subject, sequence } of messages) this.#lastOfProducer.set(producerOf(subject), sequence);
    this.changed.notify();
  }
}

export interface StreamBackup {
  readonly first: number;
  readonly messages: readonly Stored[];
}

/** `centre` of `centre.directives`; `refeed.centre` of `refeed.centre.directives`. */
function producerOf(subject: string): string {
  return subject.slice(0, subject.lastIndexOf("."));
}

/** The streams of one nats-server. */
export class Streams {
  readonly #streams = new Map<string, Stream>();
  /** Something changed in any of them. */
  readonly changed = new Wake();

  create(name: string, bytesMax: number): Stream {
    const known = this.#streams.get(name);
    if (known !== undefined) return known;
    const created = new Stream(name, bytesMax);
    this.#streams.set(name, created);
    return created;
  }

  find(name: string): Stream | undefined {
    return this.#streams.get(name);
  }

  all(): Stream[] {
    return [...this.#streams.values()];
  }

  backup(): Map<string, StreamBackup> {
    return new Map([...this.#streams].map(([name, stream]) => [name, stream.backup()]));
  }

  /** An older copy of the whole store: streams that it does not have are gone. */
  restore(backup: ReadonlyMap<string, StreamBackup>): void {
    for (const [name, stream] of this.#streams) {
      const kept = backup.get(name);
      if (kept === undefined) this.#streams.delete(name);
      else stream.restore(kept);
    }
    this.changed.notify();
  }
}
