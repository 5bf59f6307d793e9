import { z } from "zod";
import { natsEnvironment, serviceEnvironment } from "#platform/config.ts";

const file = (what: string) => z.string().min(1, `expected the path of ${what}`);

/** What the reloader of a node of the hub is told. */
export const reloaderEnvironment = serviceEnvironment
  .omit({ IDENTITY_KEYS_FILE: true })
  .extend(natsEnvironment.shape)
  .extend({
    /** The hub's accounts, as the server includes them. */
    ACCOUNTS_FILE: file("the file with the hub's accounts"),
    /** The authorities whose leaf nodes the hub lets in, as the server reads them. */
    CA_FILE: file("the file with the authorities of the regions"),
  });

export type ReloaderConfig = z.output<typeof reloaderEnvironment>;

/** How often the files are read (ms). */
export const lookEveryMs = 1_000;
/** How often it is looked at whether the server is another one, after a restart (ms). */
export const idleLookMs = 5_000;
/** The server answers within this time, or is asked again (ms). */
export const answerWaitMs = 10_000;
/** While it does not answer it is asked again after this time, growing to the second (ms). */
export const firstRetryMs = 500;
export const retryMaxMs = 10_000;
/** Files that the server refuses are offered again after this time, also when they have not changed (ms). */
export const refusedRetryMs = 30_000;
