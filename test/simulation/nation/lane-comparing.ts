import { leafHash } from "#domain/merkle.ts";
import type { Lane } from "#proto/names.ts";
import type { CapitalState } from "../../../services/coordination/domain/capital-state.ts";
import { otherLane, type ReadUpTo } from "../../../services/coordination/domain/lane-end.ts";
import { asked } from "../engine/link.ts";
import { Ends, type Work } from "../engine/scheduler.ts";
import { sameBytes } from "./decoded.ts";
import type { Lead } from "./lead.ts";
import type { LaneMessage } from "./leader-step.ts";
import type { Coordination, World } from "./world.ts";

const askWaitMs = 2_000;
const nothing = new Uint8Array();

/** What was read ahead of a lane. */
export interface Queue {
  readonly region: string;
  readonly lane: Lane;
  readonly epoch: number;
  readonly stream: string;
  read: number;
  /** `leafHash` of the last message that was read; undefined: none was. */
  leaf: Uint8Array | undefined;
  readonly messages: LaneMessage[];
}

function* ask<Answer>({ toPostgres }: Coordination, read: () => Answer): Work<Answer> {
  const answer = yield* asked(toPostgres, read, askWaitMs);
  if (answer === undefined) throw new Ends("PostgreSQL went away");
  return answer;
}

/** A lane at the hub that is not the one that was read is read again (region-epochs.ts). */
export function* compareLanes(
  world: World,
  own: Coordination,
  lead: Lead,
  state: CapitalState,
  queues: readonly Queue[],
): Work {
  const { capital, cores, scheduler } = world;
  if (cores.flaws.readsOnce) return;
  for (const queue of queues) {
    const { region, lane, epoch, stream } = queue;
    const key = `${region} ${lane} ${epoch}`;
    const { marks } = yield* ask(own, () => ({
      marks: capital.postgres.database.state.marks.get(key) ?? [],
    }));
    const known = marks.at(-1) ?? { sequence: 0, leaf: undefined };
    const hub = yield* asked(
      own.toHub,
      () => {
        const found = capital.hub.streams.find(stream);
        const leafAt = (sequence: number) => {
          const message = found?.get(sequence);
          return message && leafHash(message.data);
        };
        return { last: found?.last ?? 0, leafAt };
      },
      askWaitMs,
    );
    if (hub === undefined) continue;
    const isOther = (read: ReadUpTo) =>
      otherLane(read, { last: hub.last, leaf: hub.leafAt(read.sequence) }) !== undefined;
    if (!isOther(known) && !isOther({ sequence: queue.read, leaf: queue.leaf })) continue;
    const common = marks.findLastIndex((mark) => sameBytes(hub.leafAt(mark.sequence) ?? nothing, mark.leaf));
    const after = marks[common]?.sequence ?? 0;
    queue.messages.length = 0;
    queue.read = after;
    queue.leaf = marks[common]?.leaf;
    const upTo = yield* lead.write(({ inbox, marks: all, readTo }) => {
      inbox.set(key, after);
      all.set(key, marks.slice(0, common + 1));
      return readTo.get(key) ?? 0;
    });
    // What a capital that was put back had to read stands in the lane once more.
    if (upTo > after && !cores.flaws.trustsWatermarks) state.mustRead(key, upTo, after);
    scheduler.note(own.machine.name, `reads ${stream} again after ${after}`);
  }
}
