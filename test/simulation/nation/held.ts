import { lanes, regionStream } from "#proto/names.ts";
import type { Stored } from "../engine/store.ts";
import { contentOfMessage, isOwn } from "./decoded.ts";
import { openedEpoch } from "./epochs.ts";
import type { Region, Replica, World } from "./world.ts";

/**
 * What really is in a replica's overlay, and what must be there before it is
 * ready: what stood in the region's streams when it started.
 */
export class Held {
  readonly #world: World;
  readonly #region: Region;
  readonly #replica: Replica;
  readonly #startedMs: number;
  readonly #contents = new Set<string>();
  /** Of the region's centre, in lanes of any epoch, at the start. */
  readonly #atStart: ReadonlySet<string>;
  readonly #nationalAtStart: number;
  #capital: number | undefined;
  #isReady = false;

  constructor(world: World, region: Region, replica: Replica) {
    this.#world = world;
    this.#region = region;
    this.#replica = replica;
    this.#startedMs = world.scheduler.nowMs;
    const { streams } = region.store;
    const epoch = openedEpoch(streams);
    const messages = lanes.flatMap((lane) => {
      const stream = streams.find(regionStream.lane(lane, epoch));
      return stream?.read(stream.first, Number.MAX_SAFE_INTEGER) ?? [];
    });
    this.#atStart = new Set(messages.filter(isOwn).map(({ data }) => contentOfMessage(data)));
    this.#nationalAtStart = streams.find(regionStream.national(1))?.last ?? 0;
  }

  /** Contents of centre's events, for the replica's file. */
  all(): readonly string[] {
    return [...this.#contents];
  }

  add(message: Stored): void {
    if (isOwn(message)) this.#contents.add(contentOfMessage(message.data));
  }

  /** Another overlay, whole. */
  replace(contents: readonly string[]): void {
    this.#contents.clear();
    for (const content of contents) this.#contents.add(content);
  }

  /** The first word of the capital is what a replica without a table of its own goes by. */
  hearCapital(sequence: number): void {
    this.#capital ??= sequence;
  }

  /** The replica says that it is ready. */
  ready(sequence: number, hasNoTable: boolean): void {
    if (this.#isReady) return;
    this.#isReady = true;
    const { truth } = this.#world;
    const { name, machine } = this.#replica;
    // What was in the streams may be gone with them.
    if ((truth.olderDisks.get(this.#region.name) ?? -1) >= this.#startedMs) return;
    const least = Math.max(this.#nationalAtStart, hasNoTable ? (this.#capital ?? 0) : 0);
    const lacking = [...this.#atStart].filter((content) => !this.#contents.has(content)).length;
    if (sequence < least || lacking > 0) {
      const what = `has NATIONAL ${sequence} of ${least}, and lacks ${lacking} events of its lanes`;
      truth.broken(
        "SYNC-16",
        `${name} of ${this.#region.name} is ready, boot ${machine.incarnation}: it ${what}`,
      );
    }
  }
}
