import { leafHash } from "#domain/merkle.ts";
import { Refusal } from "#domain/refusal.ts";
import type { Lane } from "#proto/names.ts";
import type { CapitalState } from "../../../services/coordination/domain/capital-state.ts";
import type { Changes } from "../../../services/coordination/domain/changes.ts";
import type { Command, CommandStep } from "../../../services/coordination/domain/commands.ts";
import { admit, emptyIntake, type Intake } from "../../../services/coordination/domain/intake.ts";
import { moveLane } from "../../../services/coordination/domain/lane-moves.ts";
import { decodeEvent } from "./decoded.ts";
import type { Job } from "./tables.ts";
import type { World } from "./world.ts";

/** One message of a region's lane, as it was read ahead. */
export interface LaneMessage {
  readonly region: string;
  readonly lane: Lane;
  readonly epoch: number;
  readonly stream: string;
  readonly sequence: number;
  readonly data: Uint8Array;
  readonly storedAtMs: number;
}

/** A portion of targets to be folded again, and what is remembered when it is done. */
export interface Portion {
  readonly targets: readonly string[];
  readonly finished: readonly Job[];
  readonly expiry: { ms: number; directive: string } | undefined;
}

/** Takes messages of the lanes into a step (services/coordination/step.ts). */
export function takeIn(
  messages: readonly LaneMessage[],
  { state, changes, draft }: CommandStep,
  world: World,
): Intake {
  const intake = emptyIntake();
  for (const { region, lane, epoch, stream, sequence, data, storedAtMs } of messages) {
    const event = decodeEvent(data);
    admit(intake, event, { region, stream, epoch, sequence, heardAtMs: storedAtMs });
    const knowledge = state.region(region, changes.nowMs);
    knowledge.heardAtMs = Math.max(knowledge.heardAtMs, storedAtMs);
    const message = { region, lane, epoch, sequence, leaf: leafHash(data), event };
    moveLane(changes.lanes, message, () => false);
    if (world.cores.flaws.waitsForOldEpochs) for (const move of changes.lanes) move.opened = undefined;
  }
  takeReceipts(intake, state, changes, world);
  takeTrunks(intake, state, changes);
  for (const revocation of intake.batchRevocations) {
    if (state.revokedBatches.has(revocation.batch)) continue;
    state.revokedBatches.add(revocation.batch);
    draft.addRevokedBatch(revocation.batch);
    changes.batchRevocations.push(revocation);
    changes.newJobs.push({ kind: "batch", key: revocation.batch, urgent: true });
  }
  return intake;
}

/** A command that is refused has changed nothing. */
export function carryOut(command: Command<unknown>, step: CommandStep): void {
  try {
    command(step);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
  }
}

function takeReceipts(intake: Intake, state: CapitalState, changes: Changes, { truth }: World): void {
  const latest = new Map<string, (typeof intake.receipts)[number]>();
  for (const each of intake.receipts) {
    truth.receipt(each.receipt);
    state.region(each.region, changes.nowMs).book.apply(each.receipt, each.heardAtMs);
    latest.set(`${each.region} ${each.receipt.replica}`, each);
  }
  changes.replicas.push(...latest.values());
}

function takeTrunks(intake: Intake, state: CapitalState, changes: Changes): void {
  for (const { region, trunk: set } of intake.trunks) {
    const { trunk, revision, direction } = set;
    if (!state.trunks.isNews(region, trunk, revision, direction)) continue;
    const before = state.trunks.directionOf(trunk);
    state.trunks.set(region, trunk, revision, direction);
    changes.trunks.push({ region, trunk, revision, direction });
    if (state.trunks.directionOf(trunk) === before) continue;
    for (const key of [trunk, "international"]) changes.newJobs.push({ kind: "trunk", key, urgent: true });
  }
}

export function hasChanges(changes: Changes): boolean {
  const some = Object.values(changes).some((value: unknown) =>
    Array.isArray(value)
      ? value.length > 0
      : value instanceof Map
        ? value.size > 0
        : typeof value === "object",
  );
  return some || changes.introduced !== undefined;
}
