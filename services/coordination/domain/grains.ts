/** Stretches of time that figures are kept for, short to long. */
export const grains = ["minute", "hour", "day", "month", "year"] as const;
export type Grain = (typeof grains)[number];

/** All of Kazakhstan is five hours ahead of UTC since 1 March 2024: days begin at its midnight. */
const offsetMinutes = 300;
const minuteMs = 60_000;
const hourMinutes = 60;
const dayMinutes = 1_440;

/**
 * Beginning of the stretch that a minute lies in.
 *
 * @param minute minutes since 1970 (UTC)
 * @returns minutes since 1970 (UTC)
 */
export function startOf(grain: Grain, minute: number): number {
  switch (grain) {
    case "minute":
      return minute;
    case "hour":
      return Math.floor(minute / hourMinutes) * hourMinutes;
    case "day":
      return Math.floor((minute + offsetMinutes) / dayMinutes) * dayMinutes - offsetMinutes;
    case "month": {
      const date = localDate(minute);
      return localMinute(date.getUTCFullYear(), date.getUTCMonth());
    }
    case "year":
      return localMinute(localDate(minute).getUTCFullYear(), 0);
    default:
      return grain satisfies never;
  }
}

/** Beginning of the stretch after the one that a minute lies in. */
function nextStart(grain: Grain, minute: number): number {
  switch (grain) {
    case "minute":
      return minute + 1;
    case "hour":
      return startOf(grain, minute) + hourMinutes;
    case "day":
      return startOf(grain, minute) + dayMinutes;
    case "month": {
      const date = localDate(minute);
      return localMinute(date.getUTCFullYear(), date.getUTCMonth() + 1);
    }
    case "year":
      return localMinute(localDate(minute).getUTCFullYear() + 1, 0);
    default:
      return grain satisfies never;
  }
}

/** A run of stretches of one length: `from` (inclusive) to `to` (exclusive). */
export interface Stretch {
  readonly grain: Grain;
  readonly from: number;
  readonly to: number;
}

/**
 * The fewest stretches from a minute on, without an end: minutes up to the next
 * hour, hours up to the next day, and so on. So a figure since ten years ago
 * reads no more rows than one since yesterday.
 *
 * @param minutesFrom older than this, minutes are not kept: the whole hour is taken
 */
export function stretchesSince(minute: number, minutesFrom: number): Stretch[] {
  const stretches: Stretch[] = [];
  let from = minute < minutesFrom ? startOf("hour", minute) : minute;
  grains.forEach((grain, index) => {
    const longer = grains[index + 1];
    if (longer === undefined) {
      stretches.push({ grain, from, to: Number.MAX_SAFE_INTEGER });
      return;
    }
    const to = startOf(longer, from) === from ? from : nextStart(longer, from);
    if (to > from) stretches.push({ grain, from, to });
    from = to;
  });
  return stretches;
}

function localDate(minute: number): Date {
  return new Date((minute + offsetMinutes) * minuteMs);
}

function localMinute(year: number, month: number): number {
  return Date.UTC(year, month) / minuteMs - offsetMinutes;
}
