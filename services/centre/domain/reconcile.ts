/**
 * What a centre does when its outbox and its lane do not hold the same: one of
 * the two may have been restored from an older copy, or lost. Pure; the shell
 * reads both and carries the plan out in one transaction.
 *
 * For any rows and messages (test/centre/reconcile-loses-nothing.test.ts):
 * - everything in the lane and every row of the outbox is in the outbox afterwards, once;
 * - exactly what the lane lacks waits to be sent, in the order in which it was accepted;
 * - what waits has a number above every number that was ever used in the lane;
 * - where nothing is wrong, nothing changes, and a second plan changes nothing.
 */

/** One row of a lane's outbox. */
export interface OutboxEntry {
  readonly number: number;
  /** Names the event by its bytes without the outbox number: equal means the same event. */
  readonly content: string;
}

/** One event of this centre that the lane holds, in any epoch, also one that was fed again. */
export interface LaneEntry {
  /** The outbox number that its bytes carry. */
  readonly number: number;
  readonly content: string;
  readonly epoch: number;
  readonly sequence: number;
}

/** What the shell has read of one lane. */
export interface LaneKnowledge {
  /** All rows up to this number are in the lane. */
  readonly agreed: number;
  /** Rows after `agreed`, and earlier ones that hold the content of one of `messages`; by number. */
  readonly rows: readonly OutboxEntry[];
  /** Own events of the lane that may not be in the outbox, by epoch and sequence. */
  readonly messages: readonly LaneEntry[];
  /** The number after which the lane takes the next one. */
  readonly laneNumber: number;
  /** The last number that the outbox gave. */
  readonly counter: number;
}

export interface ReconcilePlan {
  /** Events that the outbox lacks, in the lane's order, with the number that their row gets. */
  readonly takeBack: readonly { readonly message: LaneEntry; readonly number: number }[];
  /** Rows that the lane holds, and where it holds them last. */
  readonly stored: readonly { readonly number: number; readonly message: LaneEntry }[];
  /** Rows that the lane lacks, in order; `to` differs from `from` where that number is used up. */
  readonly waiting: readonly { readonly from: number; readonly to: number }[];
  /** The last number given from now on. */
  readonly counter: number;
}

/** Decides about one lane. */
export function planReconcile(known: LaneKnowledge): ReconcilePlan {
  const { rows, messages } = known;
  const byContent = Map.groupBy(messages, ({ content }) => content);
  const stored: { number: number; message: LaneEntry }[] = [];
  const lacking: number[] = [];
  for (const { number, content } of rows) {
    const message = byContent.get(content)?.at(-1);
    if (message === undefined) lacking.push(number);
    else stored.push({ number, message });
  }
  const usedInLane = highest(
    messages.map(({ number }) => number),
    Math.max(known.agreed, known.laneNumber),
  );
  let next = highest(
    rows.map(({ number }) => number),
    Math.max(usedInLane, known.counter),
  );
  const settled = new Set(stored.map(({ number }) => number));
  const takeBack: { message: LaneEntry; number: number }[] = [];
  const contents = new Set(rows.map(({ content }) => content));
  for (const message of messages) {
    if (contents.has(message.content)) continue;
    contents.add(message.content);
    // Two histories may have used one number: the row that is there keeps it.
    const isFree = message.number > known.agreed && !settled.has(message.number);
    const number = isFree ? message.number : (next += 1);
    settled.add(number);
    takeBack.push({ message, number });
  }
  // The lane takes numbers that grow: what waits comes after all that it has, and after all that was ever sent.
  const after = highest(settled, usedInLane);
  const keeps = lacking.every((number) => number > after);
  const waiting = lacking.map((number) => ({ from: number, to: keeps ? number : (next += 1) }));
  return { takeBack, stored, waiting, counter: next };
}

function highest(numbers: Iterable<number>, least: number): number {
  let most = least;
  for (const number of numbers) most = Math.max(most, number);
  return most;
}
