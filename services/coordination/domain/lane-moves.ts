import type { Event } from "#proto/qalqan/events/v1/events.ts";
import type { LaneMove } from "./changes.ts";

/** A message of a region's lane, as it is read. */
export interface ReadMessage extends Pick<LaneMove, "region" | "lane" | "epoch" | "leaf"> {
  readonly sequence: number;
  /** Undefined: the bytes are no event, or none that is believed. */
  readonly event: Event | undefined;
}

/**
 * Notes that a message is read with a step, and whether it says that its epoch
 * was opened. A lane is read without gaps, so the first message taken follows
 * the watermark.
 *
 * @param isMarkDue whether what stands there is to be remembered; asked once for each lane of a step
 */
export function moveLane(
  moves: LaneMove[],
  { region, lane, epoch, sequence, leaf, event }: ReadMessage,
  isMarkDue: () => boolean,
): void {
  const said = event?.body?.$case === "epochOpened" ? event.body.value : undefined;
  // Who holds a stolen key may name any number, also one that no column takes; once it is revoked, none.
  const opened = said !== undefined && said.previousEpoch < epoch ? said : undefined;
  const known = moves.find((move) => move.region === region && move.lane === lane && move.epoch === epoch);
  if (known === undefined) {
    const isMark = isMarkDue();
    moves.push({ region, lane, epoch, from: sequence - 1, to: sequence, leaf, isMark, opened });
  } else Object.assign(known, { to: sequence, leaf, opened: opened ?? known.opened });
}
