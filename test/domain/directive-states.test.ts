import { describe, expect, it } from "vitest";

import type { KnownStanding } from "#domain/directive-state.ts";
import { stateOf } from "#domain/directive-state.ts";
import type { Decision, Opinion } from "#domain/opinion.ts";
import { opinionOf, startMs } from "./opinions.ts";

describe("the state of a directive", () => {
  const directive = opinionOf();
  const decision = (word: string, change: Partial<Decision> = {}): Decision => ({
    region: "astana",
    directive: directive.id,
    revision: 1,
    decision: word,
    reason: "",
    missing: [],
    ...change,
  });
  const known = (change: Partial<KnownStanding> = {}): KnownStanding => ({
    decisions: [],
    missing: [],
    refused: false,
    batchRevoked: false,
    ...change,
  });
  const asked = opinionOf({ missing: ["second-person"] });
  const heldForApproval = decision("held", { reason: "approval", missing: ["second-person"] });

  it.each<[string, Opinion, Partial<KnownStanding>, string]>([
    ["nothing is decided yet", directive, {}, "regional"],
    ["an approval is missing", asked, { missing: ["second-person"] }, "held"],
    ["the capital accepted", directive, { decisions: [decision("accepted")] }, "national"],
    [
      "it is of scope region, whatever the capital says",
      { ...directive, scope: "region" },
      { decisions: [decision("accepted")] },
      "regional",
    ],
    [
      "another revision was accepted",
      { ...directive, revision: 2 },
      { decisions: [decision("accepted")] },
      "regional",
    ],
    [
      "the last word was that an observe holds it",
      directive,
      { decisions: [decision("accepted"), decision("held", { reason: "observed" })] },
      "held",
    ],
    ["it was approved since the capital held it", asked, { decisions: [heldForApproval] }, "regional"],
    ["the capital asks for more than its region did", directive, { decisions: [heldForApproval] }, "held"],
    [
      "the capital rejected",
      directive,
      { decisions: [decision("rejected", { reason: "conflict" })] },
      "rejected",
    ],
    ["somebody refused", asked, { missing: ["second-person"], refused: true }, "rejected"],
    ["it is revoked", { ...directive, revoked: true }, { decisions: [decision("accepted")] }, "revoked"],
    ["its batch is revoked", directive, { batchRevoked: true, decisions: [decision("accepted")] }, "revoked"],
    [
      "its end has come",
      { ...directive, expiresAtMs: startMs },
      { decisions: [decision("accepted")] },
      "expired",
    ],
    [
      "it was rejected before its end came",
      { ...directive, expiresAtMs: startMs },
      { decisions: [decision("rejected")] },
      "rejected",
    ],
  ])("is right when %s", (_name, opinion, standing, expected) => {
    expect(stateOf(opinion, known(standing), startMs).state).toBe(expected);
  });

  it("misses what neither this region nor the capital has", () => {
    const missing = ["second-region", "carrier"];
    const told = (kinds: string[]) => [decision("held", { reason: "approval", missing: kinds })];
    const held = { state: "held", reason: "approval" };
    const seen = (kinds: string[]) => stateOf(asked, known({ missing, decisions: told(kinds) }), startMs);
    expect(seen(["second-person", "second-region", "carrier"])).toEqual({ ...held, missing });
    expect(seen(["second-person"])).toEqual({ ...held, missing: [] });
  });
});
