import { z } from "zod";
import { parseE164 } from "#domain/number.ts";
import { address, fileContents, natsEnvironment, serviceEnvironment } from "#platform/config.ts";

const regionKeyBytes = 32;

/** What screening is told. */
export const screeningEnvironment = serviceEnvironment.extend({
  ...natsEnvironment.shape,
  GRPC_LISTEN: address,
  STATE_DIRECTORY: z.string().min(1, "expected the folder in which the snapshot is kept"),
  REPLICA: z.string().regex(/^[a-z]+-\d+$/, "expected the name of the replica, for example screening-0"),
  CENTRE_URL: address,
  REGION_KEY_FILE: fileContents.transform((text, context) => {
    const key = Buffer.from(text, "hex");
    if (key.length === regionKeyBytes) return key;
    context.addIssue({
      code: "custom",
      message: `expected a file with ${regionKeyBytes} bytes in hexadecimal`,
    });
    return z.NEVER;
  }),
  /** Regions with their area codes; without it fixed lines are attributed as the carrier says. */
  REGIONS_FILE: z.string().min(1).optional(),
  /** Numbers on which people appeal, with commas: everybody reaches them (domain.md, rule 1). */
  APPEAL_LINES: z
    .string()
    .default("")
    .transform(
      (text) =>
        new Set(
          text
            .split(",")
            .filter(Boolean)
            .map((line) => parseE164("APPEAL_LINES", line)),
        ),
    ),
});

export type ScreeningConfig = z.output<typeof screeningEnvironment>;

/** Calls wait for at most this long before they go to LOCAL (ms). */
export const flushMs = 100;
/** Counters wait for at most this long (ms): with the append they are safe within 100 ms of the answer. */
export const counterFlushMs = 60;
/** Calls in one message of LOCAL. */
export const callsPerMessageMax = 500;
/** Calls that wait for LOCAL while it does not answer; beyond that the oldest are dropped, counted and named. */
export const callsWaitingMax = 50_000;
/** Calls that wait for longer are more than a flush: how many is kept on the disk, and named after a kill (ms). */
export const lateMs = 500;
/** How often that is looked at (ms). */
export const lateLookMs = 250;
/** Answered calls in one Counters event. */
export const answeredPerFlushMax = 2_000;
/** Minutes in one Counters event; after a long outage they go in several. */
export const minutesPerFlushMax = 60;
/** Answered calls that wait for a flush; beyond that the oldest are dropped, counted and named. */
export const answeredWaitingMax = 200_000;
/** Different rows of counters in a minute; beyond that trunks are left out. */
export const countsPerMinuteMax = 2_000;
/** Pairs of numbers remembered a day; beyond that each counts as the first. */
export const pairsPerDayMax = 1_000_000;
/**
 * Receipts are at least this far apart (ms): each is stored, copied, stored again and read by five. What was
 * applied when is in them, so that nothing is enforced later, or shown as later, by it.
 */
export const receiptGapMs = 400;
/** While bulk comes down, since the capital waits for them (coordination/domain/bulk-flow.ts). */
export const bulkReceiptGapMs = 50;
/** A batch of NATIONAL with more rows is bulk. */
export const bulkRowsMin = 64;
/** A receipt waits so long after what it tells of (ms), which twenty regions have just been told at once. */
export const receiptDelayMs = 50;
/** A receipt is sent at least this often: it is the replica's heartbeat (ms). */
export const receiptEveryMs = 5_000;
/** Messages named one by one in a receipt; beyond that the first and the last. */
export const appliedPerReceiptMax = 1_000;
/** The snapshot is written this often, if something changed (ms). */
export const snapshotEveryMs = 30_000;
/** Or less often where it is long: writing it takes at most this share of the time. */
export const snapshotShareMax = 0.05;
/** At the latest after so long (ms): the clock also runs while a disk or this process stands still. */
export const snapshotEveryMsMax = 300_000;
/** Or if EVENTS has gone on by so much, receipts and counters too: a start reads them in a second. */
export const snapshotBehindMax = 2_000;
/**
 * A replica without a file hears in this time how far the capital is (ms), or
 * goes by the region's copy: the capital says it every five seconds.
 */
export const capitalWordWaitMs = 6_000;
/** A replica whose region's NATS has not answered for so long is ready from its own file (ms). */
export const streamsWaitMs = 5_000;
/** Live messages kept while earlier ones are on their way; beyond that the copy brings them. */
export const liveWaitingMax = 2_000;
export const liveWaitingBytesMax = 16 * 1024 * 1024;
/** The whole overlay of a region is here after so long, or it is asked for again (ms). */
export const overlayWaitMs = 60_000;
/** Of what is applied in a row, questions come in between after so much (bytes): a message of bulk costs milliseconds. */
export const bytesPerTurn = 16 * 1024;
/** While the event loop is later than this, calls are let go on (ms). */
export const loopLagMaxMs = 500;
/** What must be written at the end has this long (ms). */
export const closeWaitMs = 5_000;
/** How often something that is not there yet is asked for again (ms). */
export const retryMs = 300;
/** Directives that ended are remembered this long, for events that arrive late (ms). */
export const endedKeptMs = 7 * 24 * 3_600_000;
/** How often those are looked for (ms). */
export const forgetEveryMs = 3_600_000;
/** How often the centre is told of tokens that were refused (ms), and how long it may take to hear it. */
export const refusalsTellMs = 1_000;
export const tellWaitMs = 5_000;
