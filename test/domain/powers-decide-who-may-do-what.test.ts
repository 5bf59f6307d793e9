import { describe, expect, it } from "vitest";

import type { Opinion } from "#domain/opinion.ts";
import { dailyTargetsMax, dayMs, hourMs } from "#domain/powers-table.ts";
import {
  classify,
  isBeyondDailyTargets,
  requirement,
  targetsLeft,
  widestScopeAlone,
} from "#domain/powers.ts";
import { parseTargetKey } from "#domain/target.ts";
import { foreignNumber, idOf, kazakhNumber, opinionOf, startMs, trunkDirection } from "./opinions.ts";

const context = { trunkDirection };
const onInternational = `${kazakhNumber}@intl-1`;
const onEvery = `${kazakhNumber}@international`;
const onDomestic = `${kazakhNumber}@dom-1`;
const onUnknown = `${kazakhNumber}@odd-1`;
const smallRange = "+442079460900-+442079460999";
const largeRange = "+442079460900-+442079461000";
const kazakhRange = "+77011234500-+77011234501";
const sharedNumber = "+78001234567";
const russianNumber = "+79161234567";

const alone = "alone";
const second = "second-person";
const carrierOrRegion = "carrier | second-region";
const secondAndCarrierOrRegion = "second-person+carrier | second-person+second-region";
const never = (field: string) => `forbidden: ${field}`;

const operator: Partial<Opinion> = { authorRole: "operator" };
const analyst: Partial<Opinion> = { authorRole: "analyst" };
const regional: Partial<Opinion> = { authorRole: "regional-prosecutor" };
const central: Partial<Opinion> = { authorRole: "central-prosecutor" };
const lasts = (termMs: number): Partial<Opinion> => ({ expiresAtMs: startMs + termMs });
const on = (target: string): Partial<Opinion> => ({ target });
const to = (action: string): Partial<Opinion> => ({ action });
const inRegion: Partial<Opinion> = { scope: "region" };
const imported: Partial<Opinion> = { batch: idOf("astana", 9) };
const falseStop: Partial<Opinion> = { falseStopOf: idOf("almaty", 1) };
const override: Partial<Opinion> = { overrideRevision: 7 };

const rows: [string, Partial<Opinion>[], string][] = [
  ["an operator blocks a foreign number for 7 days", [operator, lasts(7 * dayMs)], alone],
  ["an operator blocks a foreign number for longer", [operator, lasts(7 * dayMs + 1)], second],
  [
    "an operator extends beyond 7 days from his first directive",
    [operator, { termFromMs: startMs - 6 * dayMs - 1 }],
    second,
  ],
  ["a prosecutor blocks a foreign number for 90 days", [regional, lasts(90 * dayMs)], alone],
  ["a central prosecutor blocks a foreign number", [central, lasts(90 * dayMs)], alone],
  ["a prosecutor blocks beyond what the basis carries", [regional, lasts(365 * dayMs + 1)], never("expires")],
  ["an operator blocks beyond what the basis carries", [operator, lasts(366 * dayMs)], never("expires")],
  ["an analyst blocks a foreign number", [analyst], second],
  ["a carrier blocks", [{ authorRole: "carrier" }], never("role")],
  ["a platform engineer blocks", [{ authorRole: "platform-engineer" }], never("role")],
  ["a role that is not known blocks", [{ authorRole: "king" }], never("role")],
  [
    "an operator diverts a Russian number",
    [operator, on(russianNumber), to("divert"), lasts(7 * dayMs)],
    alone,
  ],
  [
    "an operator blocks a foreign number on a trunk",
    [operator, on(`${foreignNumber}@dom-1`), lasts(7 * dayMs)],
    alone,
  ],
  ["an operator blocks a foreign range of 100", [operator, on(smallRange), lasts(7 * dayMs)], alone],
  [
    "an operator blocks a foreign range of 100 for 8 days",
    [operator, on(smallRange), lasts(8 * dayMs)],
    second,
  ],
  ["an operator blocks a foreign range of 101", [operator, on(largeRange)], second],
  ["a prosecutor blocks a foreign range of 101", [regional, on(largeRange)], second],
  [
    "an operator blocks a Kazakh number on intl-1 for 30 days",
    [operator, on(onInternational), lasts(30 * dayMs)],
    alone,
  ],
  ["an operator blocks it on every international trunk", [operator, on(onEvery), lasts(30 * dayMs)], alone],
  ["an operator blocks it on intl-1 for 31 days", [operator, on(onInternational), lasts(31 * dayMs)], second],
  ["a prosecutor blocks it on intl-1 for 31 days", [regional, on(onInternational), lasts(31 * dayMs)], alone],
  ["an operator blocks it on a domestic trunk", [operator, on(onDomestic)], secondAndCarrierOrRegion],
  [
    "an operator blocks it on a trunk of unknown direction",
    [operator, on(onUnknown)],
    secondAndCarrierOrRegion,
  ],
  ["a prosecutor blocks it on a domestic trunk", [regional, on(onDomestic)], carrierOrRegion],
  [
    "an operator warns about a Kazakh number in his region",
    [operator, on(kazakhNumber), to("warn"), inRegion],
    alone,
  ],
  [
    "an operator diverts it in his region for 24 hours",
    [operator, on(kazakhNumber), to("divert"), inRegion, lasts(dayMs)],
    alone,
  ],
  [
    "an operator diverts it in his region for 25 hours",
    [operator, on(kazakhNumber), to("divert"), inRegion, lasts(25 * hourMs)],
    secondAndCarrierOrRegion,
  ],
  ["an operator blocks it in his region", [operator, on(kazakhNumber), inRegion], secondAndCarrierOrRegion],
  [
    "an operator warns about it in the nation",
    [operator, on(kazakhNumber), to("warn")],
    secondAndCarrierOrRegion,
  ],
  ["an operator blocks a number shared with Russia", [operator, on(sharedNumber)], secondAndCarrierOrRegion],
  [
    "a prosecutor diverts a Kazakh number in his region",
    [regional, on(kazakhNumber), to("divert"), inRegion],
    alone,
  ],
  [
    "a prosecutor blocks a Kazakh number in his region",
    [regional, on(kazakhNumber), inRegion],
    carrierOrRegion,
  ],
  ["a prosecutor warns about it in the nation", [regional, on(kazakhNumber), to("warn")], carrierOrRegion],
  ["a central prosecutor blocks a Kazakh number", [central, on(kazakhNumber)], carrierOrRegion],
  [
    "a central prosecutor diverts a Kazakh number in one region, and might in all",
    [central, on(kazakhNumber), to("divert"), inRegion],
    carrierOrRegion,
  ],
  [
    "an operator warns about a Kazakh range in his region",
    [operator, on(kazakhRange), to("warn"), inRegion],
    second,
  ],
  ["a prosecutor blocks a Kazakh range", [regional, on(kazakhRange)], second],
  ["a central prosecutor blocks a Kazakh range", [central, on(kazakhRange)], second],
  ["a prosecutor blocks a Kazakh range of one number", [regional, on("+77011234500-+77011234500")], second],
  [
    "a prosecutor blocks a range that has Kazakh numbers too",
    [regional, on("+76999999950-+79000000000")],
    second,
  ],
  ["a prosecutor blocks a range around all of +7", [regional, on("+69999999999-+80000000000")], second],
  ["a prosecutor observes a Kazakh range", [regional, on(kazakhRange), to("observe")], second],
  ["a prosecutor warns about a trunk", [regional, on("trunk:intl-1"), to("warn")], second],
  ["an operator warns about an imported number", [operator, to("warn"), imported], second],
  ["a prosecutor warns about an imported number", [regional, to("warn"), imported], second],
  [
    "a prosecutor imports a Kazakh number",
    [regional, to("warn"), on(kazakhNumber), imported],
    "second-person+carrier | second-person+second-region",
  ],
  ["an operator names one target too many", [operator, { beyondDailyTargets: true }], second],
  ["a prosecutor names one target too many", [regional, { beyondDailyTargets: true }], second],
  [
    "a prosecutor allows a number for a year",
    [regional, to("allow"), on(kazakhNumber), lasts(365 * dayMs)],
    alone,
  ],
  [
    "a prosecutor allows a number for longer",
    [regional, to("allow"), on(kazakhNumber), lasts(365 * dayMs + 1)],
    never("expires"),
  ],
  ["a prosecutor allows a range", [regional, to("allow"), on(smallRange)], never("target")],
  ["a prosecutor allows a trunk", [regional, to("allow"), on("trunk:intl-1")], never("target")],
  [
    "an operator allows after a false stop",
    [operator, to("allow"), on(kazakhNumber), inRegion, falseStop],
    alone,
  ],
  ["an operator allows without a false stop", [operator, to("allow"), on(kazakhNumber), inRegion], second],
  [
    "an operator allows nationally after a false stop",
    [operator, to("allow"), on(kazakhNumber), falseStop],
    second,
  ],
  [
    "an operator allows for 25 hours after a false stop",
    [operator, to("allow"), inRegion, falseStop, lasts(25 * hourMs)],
    second,
  ],
  ["a prosecutor observes for 30 days", [regional, to("observe"), lasts(30 * dayMs)], alone],
  ["a prosecutor observes for 31 days", [regional, to("observe"), lasts(31 * dayMs)], never("expires")],
  ["an operator observes", [operator, to("observe")], second],
  ["a prosecutor overrides", [regional, override], alone],
  ["an operator overrides", [operator, override], never("override")],
  ["an operator rests on a prosecutor's basis", [operator, { basis: "criminal-procedure-code-193" }], second],
  ["a basis does not carry the action", [regional, { basis: "criminal-procedure-code-231" }], never("basis")],
  ["a basis is unknown", [regional, { basis: "no-law-at-all" }], never("basis")],
  ["an action is unknown", [regional, to("shout")], never("action")],
  ["a scope is unknown", [regional, { scope: "world" }], never("scope")],
  ["a target is unreadable", [regional, on("imei:1")], never("target")],
];

function merged(changes: readonly Partial<Opinion>[]): Partial<Opinion> {
  return changes.reduce((all, change) => ({ ...all, ...change }), {});
}

function described(opinion: Opinion): string {
  const asked = requirement(opinion, context);
  switch (asked.kind) {
    case "alone":
      return alone;
    case "forbidden":
      return never(asked.field);
    case "needs":
      return asked.alternatives.map((set) => set.join("+")).join(" | ");
  }
}

describe("the table of powers", () => {
  it.each(rows)("answers when %s", (_name, changes, expected) => {
    expect(described(opinionOf(merged(changes)))).toBe(expected);
  });

  it("names a reason and a remedy whenever it forbids", () => {
    const refusals = rows.map(([, changes]) => requirement(opinionOf(merged(changes)), context));
    const unexplained = refusals.filter(
      (asked) => asked.kind === "forbidden" && (asked.reason === "" || asked.remedy === ""),
    );
    expect(unexplained).toEqual([]);
  });

  it("lets a second person be anybody who issues only when the author is a prosecutor", () => {
    const byOperator = requirement(opinionOf({ target: kazakhRange }), context);
    const byProsecutor = requirement(
      opinionOf({ target: kazakhRange, authorRole: "regional-prosecutor" }),
      context,
    );
    expect(byOperator).toMatchObject({ secondPersonRoles: ["regional-prosecutor", "central-prosecutor"] });
    expect(byProsecutor).toMatchObject({
      secondPersonRoles: ["operator", "analyst", "regional-prosecutor", "central-prosecutor"],
    });
  });
});

describe("the class of a target", () => {
  it.each([
    [foreignNumber, "foreign-number"],
    [russianNumber, "foreign-number"],
    [sharedNumber, "kazakh-number-everywhere"],
    [`${sharedNumber}@intl-1`, "kazakh-number-on-international-trunk"],
    ["+79000000000-+79000000099", "foreign-number"],
    ["+71000000000-+71000000001", "kazakh-range"],
    ["trunk:dom-1", "trunk"],
  ])("of %s is %s", (key, expected) => {
    expect(classify(parseTargetKey(key), context)).toBe(expected);
  });
});

describe("the widest scope that a person may decide alone", () => {
  it.each<[string, Partial<Opinion>[], string | undefined]>([
    ["the nation for a foreign number", [operator], "nation"],
    ["the region for a warning about a Kazakh number", [operator, on(kazakhNumber), to("warn")], "region"],
    ["none for a block of a Kazakh number", [operator, on(kazakhNumber)], undefined],
    ["none for an import", [operator, imported], undefined],
    ["the region for an allow after a false stop", [operator, to("allow"), falseStop], "region"],
    ["never the region for an override", [regional, on(kazakhNumber), to("warn"), override], undefined],
  ])("is %s", (_name, changes, expected) => {
    expect(widestScopeAlone(opinionOf(merged(changes)), context)).toBe(expected);
  });
});

describe("targets in a rolling day", () => {
  const uses = (count: number, acceptedAtMs: number) =>
    Array.from({ length: count }, (_, index) => ({
      target: `+4420794${String(index).padStart(5, "0")}`,
      acceptedAtMs,
    }));

  it("are fifty without a second person", () => {
    expect(isBeyondDailyTargets(uses(dailyTargetsMax - 1, startMs), foreignNumber, startMs)).toBe(false);
    expect(isBeyondDailyTargets(uses(dailyTargetsMax, startMs), foreignNumber, startMs)).toBe(true);
    expect(targetsLeft(uses(dailyTargetsMax - 1, startMs), startMs)).toBe(1);
    expect(targetsLeft(uses(dailyTargetsMax + 5, startMs), startMs)).toBe(0);
  });

  it("count once, however often one is named", () => {
    const repeated = [...uses(dailyTargetsMax, startMs), ...uses(dailyTargetsMax, startMs)];
    expect(isBeyondDailyTargets(repeated, "+442079400000", startMs)).toBe(false);
  });

  it("are free again when more than 24 hours have passed", () => {
    expect(isBeyondDailyTargets(uses(dailyTargetsMax, startMs), foreignNumber, startMs + dayMs)).toBe(true);
    expect(isBeyondDailyTargets(uses(dailyTargetsMax, startMs), foreignNumber, startMs + dayMs + 1)).toBe(
      false,
    );
  });
});
