import { realCores, type Cores, type Flaws } from "./cores.ts";

const flawed = (flaw: keyof Flaws): Cores => ({ ...realCores, flaws: { ...realCores.flaws, [flaw]: true } });

/** Nations in which one thing is wrong on purpose, and the invariant that must name it. */
export const mutants: readonly {
  readonly what: string;
  readonly cores: Cores;
  /** Seeds that are enough to find it. */
  readonly within: number;
  /** Any of these is seen. */
  readonly breaks: readonly string[];
}[] = [
  {
    what: "a producer that does not name its last message",
    cores: flawed("appendsBlindly"),
    within: 20,
    breaks: ["SYNC-2"],
  },
  {
    what: "a copy without the sequence that is meant",
    cores: flawed("copiesBlindly"),
    within: 20,
    breaks: ["SYNC-3"],
  },
  {
    what: "a leader that appends without the sequence that is meant",
    cores: flawed("publishesBlindly"),
    within: 150,
    breaks: ["SYNC-1", "SYNC-3", "SYNC-4"],
  },
  {
    what: "a leader that appends before its step is committed",
    cores: flawed("publishesBeforeCommit"),
    within: 60,
    breaks: ["SYNC-4", "SYNC-1"],
  },
  {
    what: "a leader that answers what changes nothing without looking whether it still leads",
    cores: flawed("answersUnfenced"),
    within: 150,
    breaks: ["SYNC-1"],
  },
  {
    what: "a centre that answers before its transaction is committed",
    cores: flawed("answersBeforeCommit"),
    within: 20,
    breaks: ["SYNC-1"],
  },
  {
    what: "a table that is not the next one's",
    cores: {
      ...realCores,
      applyNational: (table, batch) => table.apply({ ...batch, sequence: table.sequence + 1 }),
      flaws: { ...realCores.flaws, appliesWithGaps: true },
    },
    within: 20,
    breaks: ["SYNC-4"],
  },
  {
    what: "a receipt that names what was not applied",
    cores: flawed("claimsTooMuch"),
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
    within: 40,
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
    within: 40,
    breaks: ["SYNC-1", "SYNC-6"],
  },
];
