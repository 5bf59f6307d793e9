import * as z from "zod/mini";

/** How a region stands to the capital's table. */
export const regionStates = ["in-sync", "behind", "cut-off", "diverged"] as const;
export type RegionState = (typeof regionStates)[number];

const count = z.number().check(z.nonnegative());
const milliseconds = z.number();

const region = z.object({
  /** Slug. */
  region: z.string(),
  iso: z.string(),
  names: z.object({ kk: z.string(), ru: z.string(), en: z.string() }),
  lat: z.number(),
  lon: z.number(),
  state: z.enum(regionStates),
  sequence: count,
  /** Hexadecimal. */
  digest: z.string(),
  /** Since the region was last heard, as of `atMs`; null: never. */
  stalenessMs: z.nullable(milliseconds),
  /** When its state began. */
  sinceMs: milliseconds,
  /** Of its lanes; 0: it has not said yet. */
  epoch: count,
  /** Of the last hour, by the region of the called person. */
  calls: count,
  intercepted: count,
  forged: count,
});

const alarm = z.object({
  /** Slug; empty: the capital's own. */
  region: z.string(),
  code: z.string(),
  /** A stream, a lane, a region, a file. */
  subject: z.string(),
  /** A sentence of the service that raised it, in English, with the command to run where there is one. */
  detail: z.string(),
  sinceMs: milliseconds,
});

const directive = z.object({
  id: z.string(),
  /** Slug of its author's region. */
  region: z.string(),
  /** Canonical key of the target: always a fraudster's number, range or trunk. */
  target: z.string(),
  action: z.string(),
  acceptedAtMs: milliseconds,
  state: z.string(),
  enforcedIn: count,
  of: count,
  /** From acceptance to enforcement in the last region; null: not everywhere yet. */
  slowestMs: z.nullable(milliseconds),
});

const nation = z.object({
  atMs: milliseconds,
  epoch: count,
  sequence: count,
  digest: z.string(),
  /** The national stop is pulled. */
  stopped: z.boolean(),
  regions: z.array(region),
  /** What somebody should look at, the oldest first. */
  alarms: z.array(alarm),
  lastHour: z.object({ calls: count, intercepted: count, forged: count, warned: count }),
  /** The last 60 minutes, oldest first. */
  minutes: z.array(z.object({ minute: milliseconds, calls: count, intercepted: count })),
  /** The latest, newest first. */
  directives: z.array(directive),
});

/** What the capital knows of the nation at one moment. */
export type Nation = z.output<typeof nation>;
export type Region = z.output<typeof region>;
export type Alarm = z.output<typeof alarm>;
export type Directive = z.output<typeof directive>;
export type Minute = Nation["minutes"][number];

/**
 * Reads the capital's message.
 *
 * @throws when it is not of the agreed shape
 */
export function parseNation(text: string): Nation {
  return nation.parse(JSON.parse(text));
}
