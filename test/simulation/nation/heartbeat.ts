import { asked } from "../engine/link.ts";
import { sleep, type Work } from "../engine/scheduler.ts";
import type { Coordination, World } from "./world.ts";

const askWaitMs = 2_000;
const intervalMs = 1_000;

/** Tells every region how far NATIONAL is (services/coordination/heartbeat.ts). */
export function* sendHeartbeats(
  { scheduler, regions }: World,
  { toHub }: Coordination,
  published: () => number,
): Work {
  for (;;) {
    const sequence = published();
    const send = () => {
      for (const { line, replicas } of regions) {
        if (line.isCut) continue;
        for (const replica of replicas) replica.fromHub.tell(() => replica.running?.hearCapital(sequence));
      }
      return true;
    };
    yield* asked(toHub, send, askWaitMs);
    yield sleep(scheduler, intervalMs);
  }
}
