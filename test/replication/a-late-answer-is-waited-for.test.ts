import { ErrorCode, NatsError } from "nats";
import { describe, expect, it, vi } from "vitest";
import { StreamUnavailable } from "#platform/batch-get.ts";
import { Patience } from "../../services/replication/patience.ts";
import { silenceLongestMs, silenceMaxMs } from "../../services/replication/config.ts";

describe("patience with a hub", () => {
  it("gives the next question longer after silence, up to a limit", async () => {
    const patience = new Patience();
    const waits = await waitsOf(patience, [silent, silent, silent, silent, silent]);
    expect(waits).toEqual([1_000, 2_000, 4_000, 4_000, 4_000]);
    expect(waits.at(0)).toBe(silenceMaxMs);
    expect(waits.at(-1)).toBe(silenceLongestMs);
  });

  it("stays patient while answers are late, and is less so once they are prompt", async () => {
    const patience = new Patience();
    const waits = await waitsOf(patience, [silent, silent, late, prompt, prompt, prompt]);
    expect(waits).toEqual([1_000, 2_000, 4_000, 3_000, 1_500, 1_000]);
  });

  it("has nothing to wait for where it is refused at once, or nobody is there", async () => {
    const nobody = () => Promise.reject(new NatsError("no responders", ErrorCode.NoResponders));
    const refused = () => Promise.reject(new StreamUnavailable("503"));
    expect(await waitsOf(new Patience(), [nobody, refused, silent])).toEqual([1_000, 1_000, 1_000]);
  });
});

const silent = () => Promise.reject(new NatsError("timeout", ErrorCode.Timeout));
const prompt = () => Promise.resolve();
const late = () => {
  vi.advanceTimersByTime(1_500);
  return Promise.resolve();
};

/** How long each of the questions was given (ms). */
async function waitsOf(patience: Patience, questions: readonly (() => Promise<void>)[]): Promise<number[]> {
  vi.useFakeTimers();
  const waits: number[] = [];
  for (const question of questions) {
    await patience
      .ask((waitMs) => {
        waits.push(Math.round(waitMs));
        return question();
      })
      .catch(() => undefined);
  }
  vi.useRealTimers();
  return waits;
}
