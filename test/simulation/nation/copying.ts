import { asked, type Link } from "../engine/link.ts";
import type { Machine } from "../engine/machine.ts";
import { sleep, Wake, wait, type Scheduler, type Work } from "../engine/scheduler.ts";
import type { Stored, Stream } from "../engine/store.ts";
import type { Agreement, CopyPlan, Direction } from "../../../services/replication/domain/copy.ts";
import { compareRange } from "../../../services/replication/domain/copy.ts";
import type { Cores } from "./cores.ts";
import { sameBytes } from "./decoded.ts";

export const askWaitMs = 2_000;
export const awayPollMs = 500;
const flightMax = 8;
/** Messages compared on start and after every reconnect. */
const comparedMax = 256;

/** One end of a copied stream. */
export interface End {
  readonly link: Link;
  readonly machine: Machine;
  readonly stream: () => Stream | undefined;
}

/** What was compared is true for these connections alone: a server that was started again may hold less. */
export const connectionsOf = ({ region, hub }: Copied): string =>
  `${region.machine.incarnation} ${hub.machine.incarnation}`;

/** A stream that is kept at two ends. */
export interface Copied {
  readonly scheduler: Scheduler;
  readonly cores: Cores;
  readonly direction: Direction;
  readonly region: End;
  readonly hub: End;
}

/** What both ends hold now, and what is to be done; undefined: one does not answer. */
export function* compareEnds(copied: Copied): Work<CopyPlan | undefined> {
  const { cores, direction, region, hub } = copied;
  // The hub first: what it has was in the region before, so the region can only be further on.
  const there = yield* readEnd(hub);
  const here = there === undefined ? undefined : yield* readEnd(region);
  if (there === undefined || here === undefined) return undefined;
  const agree = yield* agreement(copied, here, there);
  if (agree === undefined) return undefined;
  return direction === "up"
    ? cores.planCopy("up", here, there, agree)
    : cores.planCopy("down", there, here, agree);
}

function* readEnd({ link, stream }: End): Work<{ first: number; last: number } | undefined> {
  return yield* asked(
    link,
    () => {
      const found = stream();
      return found === undefined ? undefined : { first: found.first, last: found.last };
    },
    askWaitMs,
  );
}

function* agreement(
  { region, hub }: Copied,
  here: { first: number; last: number },
  there: { first: number; last: number },
): Work<Agreement | undefined> {
  const range = compareRange(here, there, comparedMax);
  if (range === undefined) return "unknown";
  const read = (end: End) => () => end.stream()?.read(range.from, range.to - range.from + 1);
  const theirs = yield* asked(hub.link, read(hub), askWaitMs);
  const ours = theirs === undefined ? undefined : yield* asked(region.link, read(region), askWaitMs);
  if (theirs === undefined || ours === undefined) return undefined;
  const known = new Map(theirs.map(({ sequence, data }) => [sequence, data]));
  const differ = ours.some(({ sequence, data }) => !sameBytes(known.get(sequence) ?? data, data));
  return differ ? "differ" : "same";
}

/**
 * Appends that are on their way, a limited number at once; the first failure
 * ends them all (services/replication/append-window.ts).
 */
export class Window {
  readonly #scheduler: Scheduler;
  readonly landed = new Wake();
  #flying = 0;
  hasFailed = false;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** @returns false when an earlier append has failed: nothing was started */
  *send(
    end: End,
    messages: readonly Stored[],
    subjectOf: (message: Stored) => string,
    expects: boolean,
  ): Work<boolean> {
    while (!this.hasFailed && this.#flying >= flightMax) yield wait(this.#scheduler, this.landed, askWaitMs);
    const [first] = messages;
    if (this.hasFailed || first === undefined) return !this.hasFailed;
    this.#flying += 1;
    const batch = messages.map((message) => ({ subject: subjectOf(message), data: message.data }));
    const expected = expects ? { last: first.sequence - 1 } : {};
    const run = () => end.stream()?.appendBatch(batch, expected, this.#scheduler.nowMs) ?? "no-stream";
    const meant = first.sequence + messages.length - 1;
    end.link.send(run, askWaitMs, (stored) => {
      this.#flying -= 1;
      if (stored !== meant && expects) this.hasFailed = true;
      this.landed.notify();
    });
    return true;
  }

  *drain(): Work {
    while (this.#flying > 0) yield wait(this.#scheduler, this.landed, askWaitMs);
  }
}

/** Waits a little where an end does not answer. */
export function* away({ scheduler }: Copied): Work {
  yield sleep(scheduler, awayPollMs);
}
