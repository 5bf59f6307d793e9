import type { Control } from "#infra/local/control.ts";
import { LocalRunError } from "#infra/local/errors.ts";
import { pause } from "#platform/lifecycle.ts";
import type { Fault } from "./schedule.ts";

/** Told when a store is down and its last state is about to be lost, before the old copy is put back. */
export type BeforeRestore = (site: string, services: readonly string[]) => Promise<void>;

/** Begins a fault; `over` resolves when it has ended by itself. */
export async function inflict(
  control: Control,
  fault: Fault,
  beforeRestore: BeforeRestore,
): Promise<{ readonly over: Promise<void> }> {
  const { site } = fault;
  switch (fault.kind) {
    case "kill":
      await Promise.all(fault.services.map((service) => onceItRuns(() => control.kill(site, service))));
      return { over: Promise.resolve() };
    case "pause": {
      const { service, forMs } = fault;
      await onceItRuns(() => control.pause(site, service));
      return { over: later(forMs, () => onceItRuns(() => control.resume(site, service))) };
    }
    case "cut":
      await control.cut(site);
      return { over: later(fault.forMs, () => control.heal(site)) };
    case "half-open":
      await control.halfOpen(site);
      return { over: later(fault.forMs, () => control.heal(site)) };
    case "slow":
      await control.slow(site, { latencyMs: fault.latencyMs, bytesPerSecond: fault.bytesPerSecond });
      return { over: later(fault.forMs, () => control.heal(site)) };
    case "disk-full": {
      const { service, forMs } = fault;
      await onceItRuns(() => control.fill(site, service));
      return { over: later(forMs, () => onceItRuns(() => control.free(site, service))) };
    }
    case "clock":
      await control.skew(site, fault.aheadSeconds);
      return { over: later(fault.forMs, () => control.skew(site, 0)) };
    case "restore-nats":
    case "restore-postgres":
    case "restore-both":
    case "restore-hub": {
      const { services, ageMs } = fault;
      await onceItRuns(() => control.snapshot(site, services));
      return { over: later(ageMs, () => restore(control, site, services, beforeRestore)) };
    }
    default:
      return fault satisfies never;
  }
}

async function restore(
  control: Control,
  site: string,
  services: readonly string[],
  beforeRestore: BeforeRestore,
): Promise<void> {
  for (const service of services) await control.stopService(site, service);
  await beforeRestore(site, services);
  await onceItRuns(() => control.restore(site, services));
}

const restartWaitMs = 30_000;
const askAgainMs = 100;

/** A process that is just being started again cannot be hit: the fault waits until it is there. */
async function onceItRuns(hit: () => Promise<unknown>): Promise<void> {
  for (const endMs = Date.now() + restartWaitMs; ;) {
    try {
      await hit();
      return;
    } catch (error) {
      const isRestarting = error instanceof LocalRunError && error.code === "wrong-state";
      if (!isRestarting || Date.now() > endMs) throw error;
    }
    await pause(askAgainMs, AbortSignal.timeout(restartWaitMs));
  }
}

async function later(milliseconds: number, then: () => Promise<unknown>): Promise<void> {
  await pause(milliseconds, AbortSignal.timeout(milliseconds + 60_000));
  await then();
}
