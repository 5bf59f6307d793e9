import type { plans } from "../plans.ts";
import { realCores, type Cores, type Flaws } from "./cores.ts";

const flawed = (flaw: keyof Flaws): Cores => ({ ...realCores, flaws: { ...realCores.flaws, [flaw]: true } });

/** Nations in which one thing is wrong on purpose, and the invariant that must name it. */
export const mutants: readonly {
  readonly what: string;
  readonly cores: Cores;
  /** Under which faults it is looked for. */
  readonly under: keyof typeof plans;
  /** Seeds that are enough to find it. */
  readonly within: number;
  /** Any of these is seen. */
  readonly breaks: readonly string[];
}[] = [
  {
    what: "a producer that does not name its last message",
    cores: flawed("appendsBlindly"),
    under: "processes",
    within: 20,
    breaks: ["SYNC-2"],
  },
  {
    what: "a producer that goes by what its server said before a restart",
    cores: flawed("trustsRestarted"),
    under: "disks at both ends",
    within: 200,
    breaks: ["SYNC-2"],
  },
  {
    what: "a copy without the sequence that is meant",
    cores: flawed("copiesBlindly"),
    under: "processes",
    within: 20,
    breaks: ["SYNC-3"],
  },
  {
    what: "a leader that appends without the sequence that is meant",
    cores: flawed("publishesBlindly"),
    under: "leaders",
    within: 50,
    breaks: ["SYNC-1", "SYNC-3", "SYNC-4"],
  },
  {
    what: "a leader that appends before its step is committed",
    cores: flawed("publishesBeforeCommit"),
    under: "leaders",
    within: 20,
    breaks: ["SYNC-4", "SYNC-1"],
  },
  {
    what: "a leader that answers what changes nothing without looking whether it still leads",
    cores: flawed("answersUnfenced"),
    under: "leaders",
    within: 100,
    breaks: ["SYNC-1"],
  },
  {
    what: "a centre that answers before its transaction is committed",
    cores: flawed("answersBeforeCommit"),
    under: "processes",
    within: 20,
    breaks: ["SYNC-1"],
  },
  {
    what: "a table that is not the next one's",
    cores: {
      ...realCores,
      applyNational: (replica, batch) =>
        replica.applyNational({ ...batch, sequence: replica.table.sequence + 1 }),
      flaws: { ...realCores.flaws, appliesWithGaps: true },
    },
    under: "processes",
    within: 20,
    breaks: ["SYNC-4"],
  },
  {
    what: "a receipt that names what was not applied",
    cores: flawed("claimsTooMuch"),
    under: "processes",
    within: 20,
    breaks: ["SYNC-7"],
  },
  {
    what: "a fold that keeps the lowest revision",
    cores: {
      ...realCores,
      acceptDirectives: (intake, stored, changes) => {
        const known = new Set(stored.map(({ id }) => id));
        const first = intake.directives.filter(({ id }) => !known.has(id));
        return realCores.acceptDirectives({ ...intake, directives: first }, stored, changes);
      },
    },
    under: "processes",
    within: 20,
    breaks: ["SYNC-1", "SYNC-5", "SYNC-6"],
  },
  {
    what: "a fold that knows no approval of a batch before its members",
    cores: {
      ...realCores,
      refold: (targets, known, context, draft) => {
        const approvalsOf: typeof context.approvalsOf = (directive, revision, batch) =>
          known.opinions.size > 1 ? context.approvalsOf(directive, revision, batch) : [];
        return realCores.refold(targets, known, { ...context, approvalsOf }, draft);
      },
    },
    under: "processes",
    within: 60,
    breaks: ["SYNC-5"],
  },
  {
    what: "a watermark that is moved before the effect is written",
    cores: {
      ...realCores,
      writeChanges: (tables, changes, write) => {
        for (const { region, lane, epoch, to } of changes.lanes)
          tables.inbox.set(`${region} ${lane} ${epoch}`, to);
        return write(tables, { ...changes, lanes: [] });
      },
    },
    under: "processes",
    within: 40,
    breaks: ["SYNC-1", "SYNC-6"],
  },
  {
    what: "a copy that never compares",
    cores: {
      ...realCores,
      planCopy: (direction, source, target, agree) =>
        realCores.planCopy(direction, source, target, agree === "differ" ? "same" : agree),
    },
    under: "disks of regions",
    within: 20,
    breaks: ["SYNC-3"],
  },
  {
    what: "a copy that goes on after a restart without comparing",
    cores: flawed("comparesOnce"),
    under: "disks of regions",
    within: 100,
    breaks: ["SYNC-3"],
  },
  {
    what: "a new epoch that forgets what only the hub has",
    cores: {
      ...realCores,
      planBlock: (epochs) => realCores.planBlock(epochs).filter(({ end }) => end === "region"),
    },
    under: "disks of regions",
    within: 60,
    breaks: ["SYNC-1"],
  },
  {
    what: "a new epoch that forgets what only the region has",
    cores: {
      ...realCores,
      planBlock: (epochs) => realCores.planBlock(epochs).filter(({ end }) => end === "hub"),
    },
    under: "disks of regions",
    within: 60,
    breaks: ["SYNC-1", "SYNC-5"],
  },
  {
    what: "a centre that takes nothing back",
    cores: { ...realCores, planReconcile: (known) => ({ ...realCores.planReconcile(known), takeBack: [] }) },
    under: "disks of regions",
    within: 20,
    breaks: ["SYNC-1"],
  },
  {
    what: "a centre that sends nothing again",
    cores: { ...realCores, planReconcile: (known) => ({ ...realCores.planReconcile(known), waiting: [] }) },
    under: "disks of regions",
    within: 60,
    breaks: ["SYNC-1", "SYNC-5"],
  },
  {
    what: "a centre that forgets what was decided on a directive before it takes it back",
    cores: flawed("forgetsAhead"),
    under: "disks of regions",
    within: 60,
    breaks: ["SYNC-14"],
  },
  {
    what: "a leader that does not look whether the hub came back older",
    cores: flawed("publishesOnce"),
    under: "disk of the hub",
    within: 100,
    breaks: ["SYNC-3", "SYNC-4"],
  },
  {
    what: "a capital that does not look whether a lane is still the one that it read",
    cores: flawed("readsOnce"),
    under: "disks at both ends",
    within: 60,
    breaks: ["SYNC-1", "SYNC-5", "SYNC-6"],
  },
  {
    what: "a centre that gives its overlay though the lanes hold more",
    cores: flawed("answersUnchecked"),
    under: "disks of regions",
    within: 200,
    breaks: ["SYNC-8"],
  },
  {
    what: "a capital that folds before it has read again",
    cores: flawed("foldsAtOnce"),
    under: "disks everywhere",
    within: 20,
    breaks: ["SYNC-15"],
  },
  {
    what: "a capital that waits for what never comes in an epoch that is over",
    cores: flawed("waitsForOldEpochs"),
    under: "disks everywhere",
    within: 150,
    breaks: ["SYNC-15"],
  },
  {
    what: "a capital that does not read a replaced lane again as far as it must",
    cores: flawed("trustsWatermarks"),
    under: "disks everywhere",
    within: 400,
    breaks: ["SYNC-15"],
  },
  {
    what: "a replica that is ready before it has reached the ends of its streams",
    cores: flawed("readyAtOnce"),
    under: "processes",
    within: 20,
    breaks: ["SYNC-16"],
  },
];
