import type { Action, ApprovalKind, Role, Scope } from "./vocabulary.ts";

/**
 * "Who may decide what" (domain.md) as data. powers.ts interprets it: where a
 * directive is accepted, and again where opinions are folded.
 *
 * All rows that describe a directive apply together: a Kazakh number in an
 * import asks for what its own row asks and for what the import's row asks.
 */

export const hourMs = 3_600_000;
export const dayMs = 24 * hourMs;

/** More targets than this by one author in a rolling day need a second person. */
export const dailyTargetsMax = 50;

/** A foreign range of up to this many numbers is decided like one foreign number. */
export const smallRangeNumbersMax = 100;

/** Whose a target is and how wide, as far as powers depend on it. */
export type TargetClass =
  /** A number of another country, or a foreign range of up to 100 numbers; on one trunk or everywhere. */
  | "foreign-number"
  | "kazakh-number-on-international-trunk"
  /** Also a Kazakh number on a domestic trunk, or on one whose direction is not known. */
  | "kazakh-number-everywhere"
  /** Any range with a number that may be Kazakh. */
  | "kazakh-range"
  | "large-foreign-range"
  | "trunk";

/** Something about a directive, beside target and action, that asks for more. */
export type Circumstance = "batch" | "beyond-daily-targets";

/** Somebody may decide this alone. */
export interface Grant {
  roles: readonly Role[];
  /** The widest scope. */
  scope: Scope;
  actions: readonly Action[];
  /** Longest term from the author's first directive on the target; Infinity: what the legal basis carries. */
  termMs: number;
  /** Only with the directive that stopped a legitimate call. */
  afterFalseStop: boolean;
}

/** Sets of approvals; any one set is enough. */
export type Alternatives = readonly (readonly ApprovalKind[])[];

export interface PowerRow {
  name: string;
  targets: readonly TargetClass[];
  actions: readonly Action[];
  /** The row is about directives in this circumstance; absent: about all. */
  circumstance?: Circumstance;
  alone: readonly Grant[];
  /** What is missing when nobody's grant covers it, by who the author is. */
  beyond: { prosecutor: Alternatives; others: Alternatives };
}

/**
 * The roles that issue directives. The table names the operator and the
 * prosecutors alone, so what an analyst issues always waits for a prosecutor.
 */
export const issuingRoles: readonly Role[] = [
  "operator",
  "analyst",
  "regional-prosecutor",
  "central-prosecutor",
];
const prosecutors: readonly Role[] = ["regional-prosecutor", "central-prosecutor"];
const operator: readonly Role[] = ["operator"];
/** Who has a region of his own: a central prosecutor acts through all of them, one after the other. */
const ofOneRegion: readonly Role[] = [...operator, "regional-prosecutor"];

/**
 * Who may be the second person: of the two, one at least is a prosecutor
 * (domain.md: the prosecutor "approves what needs a legal basis").
 */
export const secondPersonRoles = { ofProsecutor: issuingRoles, ofOthers: prosecutors } as const;

const measures: readonly Action[] = ["warn", "divert", "block"];
const allTargets: readonly TargetClass[] = [
  "foreign-number",
  "kazakh-number-on-international-trunk",
  "kazakh-number-everywhere",
  "kazakh-range",
  "large-foreign-range",
  "trunk",
];
const secondPerson: Alternatives = [["second-person"]];
/**
 * "Two persons", and "prosecutor" too: as the author he decides by his grant,
 * as the second person he approves what another wrote.
 */
const bySecondPerson = { prosecutor: secondPerson, others: secondPerson } as const;

function grant(roles: readonly Role[], termMs: number, rest: Partial<Grant> = {}): Grant {
  return { roles, termMs, scope: "nation", actions: measures, afterFalseStop: false, ...rest };
}

export const powerRows: readonly PowerRow[] = [
  {
    name: "foreign number",
    targets: ["foreign-number"],
    actions: measures,
    alone: [grant(operator, 7 * dayMs), grant(prosecutors, Infinity)],
    beyond: bySecondPerson,
  },
  {
    name: "Kazakh number on an international trunk",
    targets: ["kazakh-number-on-international-trunk"],
    actions: measures,
    alone: [grant(operator, 30 * dayMs), grant(prosecutors, Infinity)],
    beyond: bySecondPerson,
  },
  {
    name: "Kazakh number everywhere",
    targets: ["kazakh-number-everywhere"],
    actions: measures,
    alone: [grant(ofOneRegion, dayMs, { scope: "region", actions: ["warn", "divert"] })],
    beyond: {
      prosecutor: [["carrier"], ["second-region"]],
      others: [
        ["second-person", "carrier"],
        ["second-person", "second-region"],
      ],
    },
  },
  {
    name: "Kazakh range, foreign range over 100 numbers, trunk",
    targets: ["kazakh-range", "large-foreign-range", "trunk"],
    actions: [...measures, "observe"],
    alone: [],
    beyond: bySecondPerson,
  },
  {
    name: "import",
    targets: allTargets,
    actions: [...measures, "allow", "observe"],
    circumstance: "batch",
    alone: [],
    beyond: bySecondPerson,
  },
  {
    name: "more than 50 targets in a rolling day",
    targets: allTargets,
    actions: [...measures, "allow", "observe"],
    circumstance: "beyond-daily-targets",
    alone: [],
    beyond: bySecondPerson,
  },
  {
    name: "allow",
    targets: allTargets,
    actions: ["allow"],
    alone: [
      grant(prosecutors, Infinity, { actions: ["allow"] }),
      grant(operator, dayMs, { actions: ["allow"], scope: "region", afterFalseStop: true }),
    ],
    beyond: bySecondPerson,
  },
  {
    name: "observe",
    targets: allTargets,
    actions: ["observe"],
    alone: [grant(prosecutors, Infinity, { actions: ["observe"] })],
    beyond: bySecondPerson,
  },
];

/** Longest terms that no approval widens. */
export const longestTermMs: Partial<Readonly<Record<Action, number>>> = {
  allow: 365 * dayMs,
  observe: 30 * dayMs,
};
