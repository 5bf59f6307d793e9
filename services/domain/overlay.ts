import type { Entry } from "./national-rows.ts";
import type {
  LanePosition,
  OverlayApproval,
  OverlayDirective,
  OverlayEvent,
  StopSetting,
} from "./overlay-events.ts";
import type { Decision } from "./opinion.ts";
import type { DecidedBatch, OverlayHead, OverlayState, OwnDirective } from "./overlay-state.ts";
import { BatchWords, OverlayListing, type Standing } from "./overlay-listing.ts";
import { RegionTrunks } from "./region-trunks.ts";
import { sharedText } from "./shared-text.ts";
import type { CallPlace } from "./target-index.ts";
import type { Trunk } from "./trunk.ts";
import { regionOfId } from "./vocabulary.ts";

/** Called for each directive found; see TargetIndex for `specific` and `width`. */
export type OverlayVisitor = (directive: OverlayDirective, specific: number, width: number) => void;

/**
 * A region's own directives that the national table does not carry yet (or
 * never will: scope `region`), its trunks and its stop switches.
 *
 * The state is a function of the *set* of messages applied: the two lanes and
 * the decisions may overtake each other and repeat. Per directive the highest
 * revision counts; revoked batches and decided revisions are remembered, so
 * that what arrives late never comes alive.
 */
export class Overlay {
  readonly region: string;
  #eventsSequence = 0;
  #urgentSequence = 0;
  readonly #own = new Map<string, OwnDirective>();
  readonly #batches = new BatchWords();
  readonly #region = new RegionTrunks();
  readonly #listing = new OverlayListing(this.#batches);

  constructor(region: string) {
    this.region = region;
  }

  /** Sequence of the last message of EVENTS applied. */
  get eventsSequence(): number {
    return this.#eventsSequence;
  }

  /** Sequence of the last message of URGENT applied. */
  get urgentSequence(): number {
    return this.#urgentSequence;
  }

  /** Directives enforced from here, ended ones included until pruned. */
  get size(): number {
    return this.#listing.size;
  }

  /** Applies an event of a lane. Other regions' directives and other bodies only move the sequence. */
  applyEvent(event: OverlayEvent, position: LanePosition): void {
    const body = event.body;
    switch (body?.$case) {
      case "directives":
        body.value.directives.forEach((directive) => this.#applyDirective(directive));
        break;
      case "approval":
        this.#applyApproval(body.value);
        break;
      case "batchRevocation":
        this.#batches.revoked.add(body.value.batch);
        break;
      case "trunkSet":
        this.#region.applyTrunk(body.value);
        break;
      case "regionStop":
        this.#region.applyStop(body.value);
        break;
      case "receipt":
      case "counters":
      case "intelligence":
      case "intelligenceWithdrawn":
      case "heartbeat":
      case "epochOpened":
      case "seal":
      case "alarms":
      case undefined:
        break;
    }
    this.advance(position);
  }

  /** Notes that everything of a lane up to a sequence has been applied (after loading from centre). */
  advance(position: LanePosition): void {
    if (position.lane === "events") {
      this.#eventsSequence = Math.max(this.#eventsSequence, position.sequence);
    } else {
      this.#urgentSequence = Math.max(this.#urgentSequence, position.sequence);
    }
  }

  /**
   * Takes the capital's decisions: call it in the same step in which the
   * national table applies the batch, so that there is never a gap.
   */
  applyDecisions(batch: DecidedBatch): void {
    for (const decision of batch.decisions) {
      if (decision.region === this.region) {
        this.#applyDecision(decision, batch);
      }
    }
    for (const revoked of batch.revokedBatches) {
      if (regionOfId(revoked) === this.region) {
        this.#batches.revoked.add(revoked);
      }
    }
  }

  #applyDirective(directive: OverlayDirective): void {
    const { id, revision } = directive;
    if (regionOfId(id) !== this.region) {
      return;
    }
    const known = this.#known(id).directive;
    if (known === undefined || revision > known.revision) {
      this.#learn(id, { directive: compact(directive) });
    }
  }

  #applyApproval(approval: OverlayApproval): void {
    const { directive: id, revision, batch, approved, complete } = approval;
    if (id === "") {
      const revisions = approved ? this.#batches.approved : this.#batches.refused;
      if (batch !== "" && (complete || !approved)) {
        // A batch is approved as it was accepted: its members' first revision.
        raise(revisions, batch, Math.max(1, revision));
      }
    } else if (regionOfId(id) === this.region) {
      const { approvedRevision, refusedRevision } = this.#known(id);
      if (!approved) this.#learn(id, { refusedRevision: Math.max(refusedRevision, revision) });
      else if (complete) this.#learn(id, { approvedRevision: Math.max(approvedRevision, revision) });
    }
  }

  #applyDecision(decision: Decision, { sequence, atMs }: DecidedBatch): void {
    const { directive: id, revision } = decision;
    const known = this.#known(id).decided;
    const newer =
      known === undefined ||
      revision > known.revision ||
      (revision === known.revision && sequence > known.sequence);
    if (newer) {
      const awaitsApproval = decision.decision === "held" && decision.missing.length > 0;
      const word = sharedText(decision.decision);
      this.#learn(id, { decided: { revision, decision: word, awaitsApproval, sequence, atMs } });
    }
  }

  #known(id: string): OwnDirective {
    return this.#own.get(id) ?? nothingKnown;
  }

  /** Takes in what is known of a directive now, and keeps the index of enforced ones true. */
  #learn(id: string, more: Partial<OwnDirective>): void {
    const before = this.#known(id);
    if (before.directive !== undefined) this.#listing.unlist(before.directive);
    const own = { ...before, ...more };
    this.#own.set(id, own);
    this.#list(own);
  }

  #list(own: OwnDirective): void {
    const { directive } = own;
    if (directive !== undefined) this.#listing.list(directive, this.#standingOf(own, directive));
  }

  #standingOf(own: OwnDirective, directive: OverlayDirective): Standing {
    const { revision, revoked, batch } = directive;
    if (revoked || own.refusedRevision === revision) return "not";
    if (isInForce(own, directive, own.approvedRevision === revision)) return "in-force";
    return batch !== "" && isInForce(own, directive, true) ? "with-batch" : "not";
  }

  #isWithdrawn(directive: OverlayDirective): boolean {
    return directive.revoked || this.#batches.isRevoked(directive);
  }

  /** Undefined for a trunk that this region does not know. */
  trunk(id: string): Trunk | undefined {
    return this.#region.trunk(id);
  }

  trunks(): Iterable<Trunk> {
    return this.#region.trunks();
  }

  /** The region's stop switches, those that are off included. */
  stops(): Iterable<StopSetting> {
    return this.#region.stops();
  }

  /** Whether the region's own stop switch is on. */
  get regionStopped(): boolean {
    return this.#region.regionStopped;
  }

  /** Whether the region is stopped, or the trunk's carrier stopped its trunks. The nation's stop is in the table. */
  isStopped(trunk: string): boolean {
    return this.#region.isStopped(trunk);
  }

  /** Whether a national entry rests on an own withdrawn directive alone: then it counts no more here. */
  hides(entry: Entry): boolean {
    const directive = entry.soleSupport === "" ? undefined : this.#own.get(entry.soleSupport)?.directive;
    return directive !== undefined && this.#isWithdrawn(directive);
  }

  /** Visits the live directives about a call's number. */
  visitNumber(place: CallPlace, nowMs: number, visit: OverlayVisitor): void {
    this.#listing.visitNumber(place, nowMs, visit);
  }

  /** Visits the live directives about the trunk itself. */
  visitTrunk(trunk: string, nowMs: number, visit: OverlayVisitor): void {
    this.#listing.visitTrunk(trunk, nowMs, visit);
  }

  /** What is known of an own directive. */
  ownDirective(id: string): OwnDirective | undefined {
    return this.#own.get(id);
  }

  /** Own directives of which something is known. */
  get ownCount(): number {
    return this.#own.size;
  }

  /** What is known of each own directive, as of the call however slowly it is read. */
  ownDirectives(): Iterable<[string, OwnDirective]> {
    return pairs([...this.#own.keys()], [...this.#own.values()]);
  }

  /** All directives enforced from here at a time. */
  enforcedAt(nowMs: number): Iterable<OverlayDirective> {
    return this.#listing.inForceAt(nowMs);
  }

  /**
   * Forgets directives that ended before a time, and final decisions on
   * directives that never arrived, some at each step.
   */
  *forgettingBefore(atMs: number): Generator<void> {
    let looked = 0;
    for (const [id, { directive, decided }] of this.#own) {
      const ended =
        directive === undefined
          ? decided !== undefined &&
            decided.decision !== "accepted" &&
            decided.decision !== "held" &&
            decided.atMs < atMs
          : directive.expiresAtMs < atMs;
      if (ended) {
        if (directive !== undefined) this.#listing.unlist(directive);
        this.#own.delete(id);
      }
      looked += 1;
      if (looked % lookedPerStep === 0) yield;
    }
  }

  /** The overlay without its directives, as plain data. */
  head(): OverlayHead {
    return {
      region: this.region,
      eventsSequence: this.#eventsSequence,
      urgentSequence: this.#urgentSequence,
      approvedBatches: [...this.#batches.approved],
      refusedBatches: [...this.#batches.refused],
      revokedBatches: [...this.#batches.revoked],
      trunks: [...this.#region.trunks()],
      stops: [...this.#region.stops()],
    };
  }

  /** The whole overlay as plain data. */
  serialise(): OverlayState {
    return { ...this.head(), directives: [...this.ownDirectives()] };
  }

  /** The overlay that `head` described, to be filled by `restoreOwn`. */
  static restoreHead(head: OverlayHead): Overlay {
    const overlay = new Overlay(head.region);
    overlay.#eventsSequence = head.eventsSequence;
    overlay.#urgentSequence = head.urgentSequence;
    const { approved, refused, revoked } = overlay.#batches;
    head.approvedBatches.forEach(([batch, revision]) => approved.set(batch, revision));
    head.refusedBatches.forEach(([batch, revision]) => refused.set(batch, revision));
    head.revokedBatches.forEach((batch) => revoked.add(batch));
    overlay.#region.restore(head.trunks, head.stops);
    return overlay;
  }

  /** Takes back what was known of a directive that this overlay does not know yet. */
  restoreOwn(id: string, { directive, decided, ...rest }: OwnDirective): void {
    const own = {
      ...{ ...nothingKnown, ...rest },
      directive: directive === undefined ? undefined : compact(directive),
      decided: decided === undefined ? undefined : { ...decided, decision: sharedText(decided.decision) },
    };
    this.#own.set(id, own);
    this.#list(own);
  }

  /** The overlay that serialise described. */
  static restore({ directives, ...head }: OverlayState): Overlay {
    const overlay = Overlay.restoreHead(head);
    for (const [id, own] of directives) overlay.restoreOwn(id, own);
    return overlay;
  }
}

/** So many are looked at before questions are answered again. */
const lookedPerStep = 1_000;

const nothingKnown: OwnDirective = {
  directive: undefined,
  approvedRevision: 0,
  refusedRevision: 0,
  decided: undefined,
};

function* pairs<Key, Value>(keys: readonly Key[], values: readonly Value[]): Generator<[Key, Value]> {
  let place = 0;
  for (const value of values) {
    const key = keys[place];
    if (key !== undefined) yield [key, value];
    place += 1;
  }
}

/** Whether a directive that nobody withdrew or refused is in force here, but for its end. */
function isInForce({ decided }: OwnDirective, directive: OverlayDirective, approved: boolean): boolean {
  // Another region's approval is known here by the capital's decision alone.
  const accepted = decided?.decision === "accepted" && decided.revision === directive.revision;
  if (directive.missing.length > 0 && !approved && !accepted) {
    return false;
  }
  if (decided === undefined || decided.revision < directive.revision) {
    // An override takes effect with the capital's decision, never before.
    return directive.overrideRevision === 0;
  }
  if (decided.decision === "accepted") {
    return directive.scope === "region";
  }
  // The capital waited for what has been given here since.
  const givenSince = decided.awaitsApproval && approved && decided.revision === directive.revision;
  return givenSince && directive.overrideRevision === 0;
}

function raise(revisions: Map<string, number>, batch: string, revision: number): void {
  revisions.set(batch, Math.max(revision, revisions.get(batch) ?? 0));
}

/** Of nearly all directives; one array for them all. */
const nothingMissing: readonly string[] = [];

/** What enforcement needs, with shared words; an import brings a hundred thousand of these. */
function compact(directive: OverlayDirective): OverlayDirective {
  return {
    id: directive.id,
    revision: directive.revision,
    target: directive.target,
    action: sharedText(directive.action),
    scope: sharedText(directive.scope),
    reason: sharedText(directive.reason),
    authorRole: sharedText(directive.authorRole),
    expiresAtMs: directive.expiresAtMs,
    overrideRevision: directive.overrideRevision,
    batch: sharedText(directive.batch),
    revoked: directive.revoked,
    missing: directive.missing.length === 0 ? nothingMissing : directive.missing.map(sharedText),
    falseStopOf: directive.falseStopOf,
  };
}
