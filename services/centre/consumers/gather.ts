/** How much is gathered, and for how long. */
export interface GatherLimits {
  readonly itemsMax: number;
  /** So long the first waits for others (ms). */
  readonly waitMs: number;
}

/**
 * Lists of what comes, none empty: what may wait is given out with what comes
 * after it, at the latest after `waitMs`; with one that may not, at once.
 *
 * @param mayWait whether an item alone need not be given out now
 */
export async function* gather<Item>(
  source: AsyncIterable<Item>,
  mayWait: (item: Item) => boolean,
  { itemsMax, waitMs }: GatherLimits,
): AsyncGenerator<readonly Item[]> {
  const iterator = source[Symbol.asyncIterator]();
  let next = nextOf(iterator);
  try {
    for (;;) {
      const first = await next;
      if (first.done === true) return;
      const items = [first.value];
      next = nextOf(iterator);
      let mayGather = mayWait(first.value);
      const endMs = performance.now() + waitMs;
      while (mayGather && items.length < itemsMax) {
        const more = await within(next, endMs - performance.now());
        // The end of the source, and its failure, come after what was gathered.
        if (more === undefined || more.done === true) break;
        items.push(more.value);
        mayGather = mayWait(more.value);
        next = nextOf(iterator);
      }
      yield items;
    }
  } finally {
    // Not awaited: it waits for the item that is asked for, which may never come.
    void iterator.return?.();
  }
}

/** Whoever waits hears of a failure when the item is awaited. */
function nextOf<Item>(iterator: AsyncIterator<Item>): Promise<IteratorResult<Item>> {
  const next = iterator.next();
  next.catch(() => undefined);
  return next;
}

/** Undefined: it does not come in so long, or fails. */
async function within<Item>(
  next: Promise<IteratorResult<Item>>,
  waitMs: number,
): Promise<IteratorResult<Item> | undefined> {
  const late = Promise.withResolvers<undefined>();
  // Not `pause`: ending it by a signal is dear (in a profile of centre a tenth of its script time).
  const timer = setTimeout(late.resolve, Math.max(0, waitMs), undefined);
  try {
    return await Promise.race([next, late.promise]);
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
