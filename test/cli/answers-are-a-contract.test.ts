import { describe, expect, it } from "vitest";
import { BatchView, DirectiveView } from "#proto/qalqan/centre/v1/centre.ts";
import {
  batchDocument,
  directiveDocument,
  missingLines,
  receiptLines,
} from "../../services/cli/directive-view.ts";
import { table } from "../../services/cli/output.ts";

const acceptedAtMs = Date.parse("2026-03-01T10:00:00.000Z");

describe("the document of a directive", () => {
  const view = DirectiveView.fromPartial({
    id: "astana-01ARZ3NDEKTSV4RRFFQ69G5FAV",
    revision: 1,
    nationalRevision: 7,
    scope: "nation",
    state: "national",
    target: "+447911123456",
    action: "block",
    acceptedAtMs,
    receipts: [
      { region: "almaty", state: "enforced", enforcedAtMs: acceptedAtMs + 12, milliseconds: 12 },
      { region: "astana", state: "waiting", enforcedAtMs: 0, milliseconds: -1 },
      { region: "mangystau", state: "cut-off", enforcedAtMs: 0, milliseconds: -1 },
    ],
  });

  it("has every field that others build on, and null for what is not known", () => {
    expect(directiveDocument(view)).toMatchObject({
      id: "astana-01ARZ3NDEKTSV4RRFFQ69G5FAV",
      revision: 1,
      nationalRevision: 7,
      scope: "nation",
      state: "national",
      missing: [],
      target: "+447911123456",
      action: "block",
      batch: null,
      receipts: [
        { region: "almaty", state: "enforced", enforcedAt: "2026-03-01T10:00:00.012Z", milliseconds: 12 },
        { region: "astana", state: "waiting", enforcedAt: null, milliseconds: null },
        { region: "mangystau", state: "cut-off", enforcedAt: null, milliseconds: null },
      ],
    });
  });

  it("is counted for a person", () => {
    expect(receiptLines(view.receipts).at(-1)).toBe("enforced in 1 of 3 regions");
  });

  it("of a batch has the same fields", () => {
    const document = batchDocument(
      BatchView.fromPartial({ batch: "almaty-1", state: "held", missing: ["second-person"] }),
    );
    expect(Object.keys(document)).toEqual(
      expect.arrayContaining(
        "id revision nationalRevision scope state missing target action batch receipts".split(" "),
      ),
    );
    expect(document).toMatchObject({ batch: "almaty-1", missing: ["second-person"], receipts: [] });
  });
});

it.each([
  [["second-person"], "a second person (a prosecutor)"],
  [["second-region", "carrier"], "the carrier or a prosecutor of a second region"],
  [
    ["second-person", "second-region", "carrier"],
    "a second person (a prosecutor), and by the carrier or a prosecutor of a second region",
  ],
])("what misses %j is held until %s has approved, and the command is named", (missing, who) => {
  expect(missingLines(missing, "astana-1")).toEqual([
    `held: it must be approved by ${who}`,
    "  npx qalqan directive approve astana-1",
  ]);
});

it("a table aligns words to the left and numbers to the right", () => {
  expect(
    table(
      ["region", "heard"],
      [
        ["astana", "7 ms"],
        ["almaty", "1,204 ms"],
      ],
    ),
  ).toEqual(["REGION     HEARD", "astana      7 ms", "almaty  1,204 ms"]);
});
