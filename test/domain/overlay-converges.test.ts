import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { OverlayDirective, OverlayEvent } from "#domain/overlay-events.ts";
import type { DecidedBatch } from "#domain/overlay-state.ts";
import { Overlay } from "#domain/overlay.ts";
import { Event } from "#proto/qalqan/events/v1/events.ts";
import { entry, laterMs, nowMs, own, overlayOf, region } from "./given.ts";

type Message = { event: OverlayEvent; lane: "events" | "urgent" } | { batch: DecidedBatch };

const number = "+442079460958";
const id = `${region}-1`;
const batchId = `${region}-B`;

function directives(...given: OverlayDirective[]): Message {
  return { event: { body: { $case: "directives", value: { directives: given } } }, lane: "urgent" };
}

function approval(change: object): Message {
  const value = { directive: id, revision: 1, batch: "", approved: true, complete: true, ...change };
  return { event: { body: { $case: "approval", value } }, lane: "events" };
}

function revocationOf(batch: string): Message {
  return { event: { body: { $case: "batchRevocation", value: { batch } } }, lane: "urgent" };
}

function decided(decision: string, revision = 1, sequence = 1, missing: string[] = []): Message {
  const decisions = [{ region, directive: id, revision, decision, reason: "", missing }];
  return { batch: { sequence, atMs: nowMs, decisions, revokedBatches: [] } };
}

function apply(overlay: Overlay, messages: readonly Message[]): Overlay {
  messages.forEach((message, index) => {
    if ("batch" in message) {
      overlay.applyDecisions(message.batch);
    } else {
      overlay.applyEvent(message.event, { lane: message.lane, sequence: index + 1 });
    }
  });
  return overlay;
}

/** What the overlay does: enforced directives, trunks, stops. The lanes' sequences are not part of it. */
function effect(overlay: Overlay): unknown {
  return {
    enforced: [...overlay.enforcedAt(nowMs)].map((each) => `${each.id}#${each.revision}`).toSorted(),
    size: overlay.size,
    trunks: [...overlay.trunks()].toSorted((left, right) => (left.id < right.id ? -1 : 1)),
    stopped: ["intl-1", "dom-1"].map((trunk) => overlay.isStopped(trunk)),
    hidden: ["1", "2", "3"].map((each) =>
      overlay.hides(entry(number, "block", { directive: `${region}-${each}` })),
    ),
  };
}

function enforced(...messages: Message[]): number[] {
  return [...apply(new Overlay(region), messages).enforcedAt(nowMs)].map((each) => each.revision);
}

const anId = fc.constantFrom(`${region}-1`, `${region}-2`, `${region}-3`, "almaty-1");
const revision = fc.integer({ min: 1, max: 4 });

/** The content of a revision is a function of its id and number: nobody writes two of the same. */
const aDirective = fc.tuple(anId, revision).map(([each, which]) =>
  own(number, "block", {
    id: each,
    revision: which,
    scope: each.endsWith("2") ? "region" : "nation",
    batch: each.endsWith("3") ? batchId : "",
    missing: which % 2 === 0 || each.endsWith("3") ? ["second-person"] : [],
    revoked: which === 4,
    expiresAtMs: which === 3 ? nowMs : laterMs,
  }),
);

const aMessage: fc.Arbitrary<Message> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.array(aDirective, { minLength: 1, maxLength: 3 }).map((given) => directives(...given)),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(
        fc.constantFrom(...[1, 2, 3].map((each) => `${region}-${each}`), ""),
        revision,
        fc.boolean(),
        fc.boolean(),
      )
      .map(([directive, which, approved, complete]) =>
        approval({ directive, batch: directive === "" ? batchId : "", revision: which, approved, complete }),
      ),
  },
  { weight: 1, arbitrary: fc.constant(revocationOf(batchId)) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(anId, revision, fc.integer({ min: 1, max: 9 }))
      .map(([directive, which, sequence]): Message => {
        // What the capital says at a sequence is one thing, too.
        const words = ["accepted", "held", "rejected", "revoked"];
        const decision = words[(sequence + which) % words.length] ?? "";
        const missing = sequence % 3 === 0 ? ["second-person"] : [];
        const decisions = [{ region: region, directive, revision: which, decision, reason: "", missing }];
        return {
          batch: { sequence, atMs: nowMs, decisions, revokedBatches: sequence === 9 ? [batchId] : [] },
        };
      }),
  },
  {
    weight: 1,
    // Of a restored database two histories may give one revision to two things.
    arbitrary: fc
      .record({
        trunk: fc.constantFrom("intl-1", "dom-1"),
        revision,
        direction: fc.constantFrom("domestic", "international"),
        operator: fc.constantFrom("kt", "kcell"),
        sbcAddress: fc.constantFrom("", "sbc.example.kz"),
        mode: fc.constantFrom("shadow", "mark", "enforce", "of a newer release"),
        percent: fc.constantFrom(0, 100),
      })
      .map((value): Message => ({ event: { body: { $case: "trunkSet", value } }, lane: "urgent" })),
  },
  {
    weight: 1,
    arbitrary: fc
      .record({
        carrier: fc.constantFrom("", "kt"),
        revision,
        stopped: fc.boolean(),
        person: fc.constantFrom("p", "q"),
      })
      .map((value): Message => ({ event: { body: { $case: "regionStop", value } }, lane: "urgent" })),
  },
);

describe("the overlay of a region", () => {
  test("comes to the same whatever the order and repetition of its lanes and of the decisions", () => {
    const orders = fc.array(aMessage, { minLength: 1, maxLength: 25 }).chain((messages) => {
      const shuffled = fc.shuffledSubarray(messages, { minLength: messages.length });
      return fc.tuple(
        fc.constant(messages),
        shuffled,
        fc.array(fc.constantFrom(...messages), { maxLength: 10 }),
      );
    });
    fc.assert(
      fc.property(orders, ([messages, shuffled, repeated]) => {
        const expected = effect(apply(new Overlay(region), messages));
        expect(effect(apply(new Overlay(region), [...shuffled, ...repeated]))).toEqual(expected);
      }),
      { numRuns: 2_000 },
    );
  });

  test("comes back whole from plain data, at any point", () => {
    fc.assert(
      fc.property(
        fc.array(aMessage, { maxLength: 20 }),
        fc.array(aMessage, { maxLength: 5 }),
        (before, after) => {
          const overlay = apply(new Overlay(region), before);
          const restored = Overlay.restore(JSON.parse(JSON.stringify(overlay.serialise())));
          expect(restored.serialise()).toEqual(overlay.serialise());
          expect(effect(apply(restored, after))).toEqual(effect(apply(overlay, after)));
        },
      ),
    );
  });

  test("enforces an own directive at once, until the capital decides it", () => {
    expect(enforced(directives(own(number, "block")))).toEqual([1]);
    for (const decision of ["accepted", "held", "rejected", "revoked", "expired"]) {
      expect(enforced(directives(own(number, "block")), decided(decision))).toEqual([]);
      expect(enforced(decided(decision), directives(own(number, "block")))).toEqual([]);
    }
  });

  test("keeps a directive meant for the region alone after the capital accepted it", () => {
    const regional = own(number, "block", { scope: "region" });
    expect(enforced(directives(regional), decided("accepted"))).toEqual([1]);
    expect(enforced(directives(regional), decided("rejected"))).toEqual([]);
    expect(
      enforced(directives(regional, own(number, "block", { scope: "region", revision: 2, revoked: true }))),
    ).toEqual([]);
  });

  test("believes the capital's latest word on a revision, whichever arrives last", () => {
    const regional = directives(own(number, "block", { scope: "region" }));
    const [first, second] = [decided("accepted", 1, 1), decided("rejected", 1, 2)];
    expect(enforced(regional, first, second)).toEqual([]);
    expect(enforced(regional, second, first)).toEqual([]);
  });

  test("enforces a newer revision that the capital has not decided yet", () => {
    expect(enforced(directives(own(number, "block", { revision: 2 })), decided("accepted", 1))).toEqual([2]);
  });

  test("a revocation that overtakes its directive keeps it from coming alive", () => {
    expect(
      enforced(
        directives(own(number, "block", { revision: 2, revoked: true })),
        directives(own(number, "block")),
      ),
    ).toEqual([]);
  });

  test("a batch revocation that overtakes its members keeps them from coming alive", () => {
    expect(enforced(revocationOf(batchId), directives(own(number, "block", { batch: batchId })))).toEqual([]);
  });

  test("holds a directive until its approvals are complete, for exactly that revision", () => {
    const held = own(number, "block", { missing: ["second-person"] });
    expect(enforced(directives(held))).toEqual([]);
    expect(enforced(directives(held), approval({ complete: false }))).toEqual([]);
    expect(enforced(directives(held), approval({}))).toEqual([1]);
    expect(enforced(approval({}), directives(held))).toEqual([1]);
    expect(enforced(approval({}), directives({ ...held, revision: 2 }))).toEqual([]);
    expect(enforced(directives(held), approval({}), approval({ approved: false }))).toEqual([]);
  });

  test("an approval given after the capital said what is missing takes effect at once", () => {
    const held = own(number, "block", { missing: ["second-person"] });
    const waits = decided("held", 1, 1, ["second-person"]);
    expect(enforced(directives(held), waits, approval({}))).toEqual([1]);
    expect(enforced(directives(held), waits, approval({}), decided("accepted", 1, 2))).toEqual([]);
    expect(enforced(directives(held), approval({}), decided("held", 1, 1, []))).toEqual([]);
  });

  test("one approval of a batch enforces its members", () => {
    const member = own(number, "warn", { batch: batchId, missing: ["second-person"] });
    const yes = approval({ directive: "", batch: batchId });
    expect(enforced(directives(member), yes)).toEqual([1]);
    expect(enforced(yes, directives(member))).toEqual([1]);
    expect(
      enforced(directives(member), yes, approval({ directive: "", batch: batchId, approved: false })),
    ).toEqual([]);
  });

  test("another region's directives and decisions are none of its business, even where one name begins like the other", () => {
    expect(enforced(directives(own(number, "block", { id: "astana-region-1" })))).toEqual([]);
    const foreign = {
      region: "almaty",
      directive: id,
      revision: 1,
      decision: "rejected",
      reason: "",
      missing: [],
    };
    const message = { batch: { sequence: 1, atMs: nowMs, decisions: [foreign], revokedBatches: [] } };
    expect(enforced(directives(own(number, "block")), message)).toEqual([1]);
  });

  test("hides a national entry that rests on an own withdrawn directive, or one of a withdrawn batch", () => {
    const national = entry(number, "block", { directive: id });
    const member = own(number, "block", { batch: batchId });
    expect(overlayOf([member]).hides(national)).toBe(false);
    expect(apply(overlayOf([member]), [decided("accepted"), revocationOf(batchId)]).hides(national)).toBe(
      true,
    );
    expect(overlayOf([own(number, "block", { revision: 2, revoked: true })]).hides(national)).toBe(true);
    expect(
      overlayOf([own(number, "block", { revision: 2, revoked: true })]).hides({
        ...national,
        soleSupport: "",
      }),
    ).toBe(false);
  });

  test("forgets what ended, and keeps what has not", () => {
    const overlay = overlayOf([
      own(number, "block"),
      own(number, "warn", { id: `${region}-2`, expiresAtMs: nowMs - 1 }),
    ]);
    expect([...overlay.forgettingBefore(nowMs)]).toEqual([]);
    expect([overlay.size, overlay.ownDirective(`${region}-2`)]).toEqual([1, undefined]);
  });

  test("knows the sequences that it is true for", () => {
    const overlay = new Overlay(region);
    overlay.applyEvent({ body: { $case: "heartbeat" } }, { lane: "events", sequence: 7 });
    overlay.advance({ lane: "urgent", sequence: 3 });
    overlay.applyEvent({ body: undefined }, { lane: "urgent", sequence: 2 });
    expect([overlay.eventsSequence, overlay.urgentSequence]).toEqual([7, 3]);
  });

  test("a carrier's stop covers its trunks, the region's covers all", () => {
    const trunk = (name: string, operator: string): Message => {
      const value = {
        trunk: name,
        revision: 1,
        direction: "domestic",
        operator,
        sbcAddress: "",
        mode: "enforce",
        percent: 100,
      };
      return { event: { body: { $case: "trunkSet", value } }, lane: "urgent" };
    };
    const stop = (carrier: string, stopped: boolean, which: number): Message => {
      return {
        event: { body: { $case: "regionStop", value: { revision: which, stopped, person: "p", carrier } } },
        lane: "urgent",
      };
    };
    const overlay = apply(new Overlay(region), [
      trunk("intl-1", "kt"),
      trunk("dom-1", "kcell"),
      stop("kt", true, 1),
    ]);
    expect([overlay.isStopped("intl-1"), overlay.isStopped("dom-1"), overlay.isStopped("new-1")]).toEqual([
      true,
      false,
      false,
    ]);
    apply(overlay, [stop("", true, 1), stop("kt", false, 2)]);
    expect([overlay.isStopped("intl-1"), overlay.isStopped("new-1"), overlay.regionStopped]).toEqual([
      true,
      true,
      true,
    ]);
    apply(overlay, [stop("", false, 2), stop("", true, 1)]);
    expect([overlay.isStopped("intl-1"), overlay.isStopped("dom-1")]).toEqual([false, false]);
  });

  test("takes an event as it is decoded from the stream", () => {
    const event = Event.fromPartial({
      body: { $case: "directives", value: { directives: [{ ...own(number, "block"), missing: [] }] } },
    });
    const decoded: OverlayEvent = Event.decode(Event.encode(event).finish());
    const overlay = new Overlay(region);
    overlay.applyEvent(decoded, { lane: "urgent", sequence: 1 });
    expect(overlay.size).toBe(1);
  });
});
