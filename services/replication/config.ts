import { z } from "zod";
import { fileContents, natsEnvironment, serviceEnvironment } from "#platform/config.ts";

/** What replication is told. The hub has no address here: it is reached through the region's own server. */
export const replicationEnvironment = serviceEnvironment.extend(natsEnvironment.shape).extend({
  /** Seed of the key that alone may use the line to the hub. */
  NATS_LINE_SEED_FILE: fileContents,
  /** Private key that the region's seals are signed with: Ed25519, PKCS 8, PEM. */
  SIGNING_KEY_FILE: fileContents,
  /** How often the region's streams are trimmed (ms), and what stays of each: so many messages, and hours. */
  TRIM_EVERY_MS: z.coerce.number().int().min(100).default(60_000),
  KEPT_MESSAGES: z.coerce.number().int().min(1).default(10_000),
  /** Whoever was restored from a backup of the last days finds here what came after it. */
  KEPT_HOURS: z.coerce.number().min(0).default(72),
});

/** How many appends may be on their way at once, of one stream in one direction. */
export const flight = {
  /** Measured on a hub of three: 256 keep the order through kills of its leader (architecture, "Replication"). */
  messagesMax: 256,
  /** So that a burst of imports never stands between an urgent message and the line. */
  bytesMax: 4 * 1024 * 1024,
} as const;

/** How often the other end is asked how far it is while it does not answer (ms). */
export const awayPollMs = 100;
/** How long one such question may take (ms): an answer that comes later is asked for again. */
export const askWaitMs = 1_000;
/** An append may take so long on a slow line that is alive (ms); whether it is, is looked at meanwhile. */
export const appendWaitMs = 30_000;
/** When a copy ends, what is on its way is waited for so long (ms). */
export const drainWaitMs = 1_000;
/** How often that is looked at while an append is not answered (ms). */
export const lineLookMs = 200;
/** And while there is nothing to append (ms): a hub that came back older is to be filled up also then. */
export const idleLookMs = 5_000;
/** An append that is not answered for so long, while later questions are, was lost (ms). */
export const unansweredMaxMs = 2_000;
/** A batch of messages that stops coming for so long is asked for again (ms) … */
export const silenceMaxMs = 1_000;
/** … and for so long at most where the hub answers late (ms): so late a line that was half-open is found again. */
export const silenceLongestMs = 4_000;
/**
 * That is, once a question that was asked after the silence began is answered:
 * a narrow line brings compressed blocks, seconds apart. Such a question is
 * waited for longer each time, and so long at most (ms).
 */
export const lostAskWaitMaxMs = 4_000;
/** Without any answer a batch is given up after so long (ms). */
export const lostInAllMs = 30_000;
/** After this much silence the copy of NATIONAL asks whether it missed something (ms). */
export const quietCheckMs = 1_000;
/** And that of FOR, by which nothing is enforced (ms). */
export const quietForCheckMs = 2_000;
/** So long a live message waits to be copied after a silence, and others with it (ms). */
export const liveGatherMs = 50;
/** How often both ends are compared while all goes well (ms). */
export const compareEveryMs = 60_000;
/** So many of the newest messages are compared at a start and after a failure: one alone can be equal by chance. */
export const compareWindow = 256;
/** And so much of them, for a slow line's sake, and for a hub's to which twenty regions come back. */
export const compareBytesMax = 1024 * 1024;
/** Replication's own events wait so long for the lanes to be compared: a lane that lost its end is filled up first (ms). */
export const settleWaitMs = 3_000;
/** Rounds in which what was written meanwhile is fed into a new epoch; what comes later is fed once it is open. */
export const lateRoundsMax = 5;
/** So many messages apart, an end counts as behind the other. */
export const behindMessages = 1_000;
/** With so few epochs left that the hub's accounts list, a person is called. */
export const epochsLeftMin = 2;
/** How often it is looked whether an old epoch may go (ms). */
export const oldEpochsLookMs = 5_000;
/** An alarm that an epoch was opened ends after so long (ms). */
export const openedAlarmMs = 24 * 3_600_000;
/** How often a stream that is stopped is looked at again (ms). */
export const stoppedLookMs = 10_000;
/** How often replication says that the region lives (ms). */
export const heartbeatMs = 5_000;
/** Live messages kept while earlier ones are fetched; the oldest go first, and are fetched later. */
export const liveMessagesMax = 2_000;
export const liveBytesMax = 16 * 1024 * 1024;
/** How often it is asked whether the hub has a newer snapshot (ms). */
export const snapshotPollMs = 5_000;
/** Messages read ahead of the seal that will cover them: after a long absence a lane is sealed in portions. */
export const unsealedMax = 4_000;
