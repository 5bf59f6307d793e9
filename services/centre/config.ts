import { z } from "zod";
import { address, databaseEnvironment, natsEnvironment, serviceEnvironment } from "#platform/config.ts";

/** What the centre of a region is told. */
export const centreEnvironment = serviceEnvironment
  .extend(natsEnvironment.shape)
  .extend(databaseEnvironment.shape)
  .extend({
    GRPC_LISTEN: address,
    /** Accepted events of a lane that its stream has not taken: beyond that more is refused (bytes). */
    OUTBOX_WAITING_BYTES_MAX: z.coerce
      .number()
      .int()
      .min(1_024, "expected at least 1024, one small event")
      .default(512 * 1024 * 1024),
  });

export type CentreConfig = z.output<typeof centreEnvironment>;

/** This service's name as a producer of events. */
export const producerName = "centre";

/** Under this name it says its alarms, which are in no outbox. */
export const alarmProducerName = "centre-alarms";

/** How often an outbox is looked at when nobody has woken its pump (ms). */
export const pumpPollMs = 1_000;

/** How often a watched view is looked at when no change was announced (ms): cut-off is known by silence. */
export const watchPollMs = 1_000;

/** Without a heartbeat of the capital for this long the region counts as cut off (ms). */
export const cutOffAfterMs = 15_000;

/** How long a part that lost its database or its stream waits before it goes on (ms). */
export const recoverWaitMs = 200;

/** Newest events of a lane that are compared with the outbox at each opening: no two histories agree on so many by chance. */
export const agreementsChecked = 256;

/** Where a row was stored is noted this late at most while all is well (ms): a row that is not by then was left behind. */
export const noteWaitMs = 2_000;

/** How often it is looked, while all is well, whether the lane still holds what was stored in it (ms). */
export const agreementEveryMs = 60_000;

/** A lane that lost its end has this long to be filled up from the hub before what is missing is sent again (ms). */
export const refillWaitMs = 10_000;
export const refillLookMs = 500;

/** After PostgreSQL was started again, lanes that came back older too have this long to be filled up and taken back (ms). */
export const takeBackWaitMs = 15_000;

/**
 * What the nation decided on a directive that the database lacks is kept for so long. Lanes are filled up within
 * minutes; a region whose store comes back from a backup of its own is back within weeks, or never.
 */
export const aheadKeptDays = 30;

/** What a pump reads of an outbox at once: rows, and bytes of more than one of them; one event may have some hundred kB. */
export const outboxReadMax = { rows: 100, bytes: 4 * 1024 * 1024 } as const;

/** How often it is looked whether PostgreSQL was started again (ms). */
export const databaseLookMs = 1_000;

/** A recovery is over in a moment; its alarm stays so long, that somebody sees it (ms). */
export const behindShownMs = 10 * 60_000;

/** How often the audit is told of tokens that were refused (ms). */
export const refusalsLookMs = 1_000;

/** How often it is looked how full the lanes are (ms). */
export const roomLookMs = 2_000;

/** Directives in one EVENTS message (events.proto, Directives). */
export const directivesPerMessageMax = 1_000;

/** Entries of one import; beyond that it is to be split. */
export const importEntriesMax = 250_000;

/** Characters of one evidence id, or of an idempotency key. */
export const idCharactersMax = 100;

/** Rows of a list when the request names no limit, and at most. */
export const listRowsDefault = 1_000;
export const listRowsMax = 100_000;

/** Body of an HTTP request (bytes). */
export const httpBodyBytesMax = 64 * 1024;
