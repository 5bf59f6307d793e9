import { describe, expect, it } from "vitest";
import { planApproval } from "../../services/cli/approval.ts";
import { first, localPerson, shownPerson, whoIs } from "../../services/cli/people.ts";

describe("sample people", () => {
  it("are known by their ids", () => {
    for (const who of [
      { role: "operator", region: "north-kazakhstan", number: 12 },
      { role: "regional-prosecutor", region: "astana", number: 2 },
      { role: "carrier", region: "almaty", number: 1 },
      { role: "central-prosecutor", region: "capital", number: 2 },
      { role: "platform-engineer", region: "capital", number: 1 },
    ] as const) {
      const person = localPerson(who);
      expect(person).toMatchObject({ role: who.role, region: who.region });
      expect(whoIs(person.id)).toEqual(who);
    }
  });

  it("are shown with region and number", () => {
    expect(shownPerson(localPerson(first("operator", "astana")))).toBe("astana operator-1");
    expect(shownPerson(localPerson(first("central-prosecutor", "astana")))).toBe("central-prosecutor-1");
  });
});

describe("an approval without login", () => {
  const plan = (missing: string[], author: string, chosen?: string) => {
    const { who, kind } = planApproval(missing, author, "astana", chosen, ["almaty", "mangystau"]);
    return [localPerson(who).id, kind];
  };

  it.each([
    [["second-person"], "operator-1.astana", undefined, ["prosecutor-1.astana", "second-person"]],
    [["second-person"], "prosecutor-1.astana", undefined, ["prosecutor-2.astana", "second-person"]],
    [["second-region", "carrier"], "prosecutor-1.astana", undefined, ["carrier-1.astana", "carrier"]],
    [
      ["second-region", "carrier"],
      "prosecutor-1.astana",
      "mangystau",
      ["prosecutor-1.mangystau", "second-region"],
    ],
    [["second-region"], "prosecutor-1.astana", undefined, ["prosecutor-1.almaty", "second-region"]],
    [
      ["second-person", "second-region", "carrier"],
      "operator-1.astana",
      undefined,
      ["prosecutor-1.astana", "second-person"],
    ],
  ])(
    "of what misses %j, written by %s, with --region %s, is given by %j",
    (missing, author, chosen, expected) => {
      const given = plan(missing, author, chosen);
      expect(given).toEqual(expected);
      expect(given[0]).not.toBe(author);
    },
  );
});
