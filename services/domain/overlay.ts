import type { Entry } from "./national-rows.ts";
import type {
  LanePosition,
  OverlayApproval,
  OverlayDirective,
  OverlayEvent,
  StopSetting,
} from "./overlay-events.ts";
import type { Decision } from "./opinion.ts";
import type { DecidedBatch, OverlayState, OwnDirective } from "./overlay-state.ts";
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
    if (regionOfId(directive.id) !== this.region) {
      return;
    }
    const own = this.#ownOf(directive.id);
    if (own.directive === undefined || directive.revision > own.directive.revision) {
      this.#change(own, () => {
        own.directive = compact(directive);
      });
    }
  }

  #applyApproval(approval: OverlayApproval): void {
    if (approval.directive === "") {
      const revisions = approval.approved ? this.#batches.approved : this.#batches.refused;
      if (approval.batch !== "" && (approval.complete || !approval.approved)) {
        // A batch is approved as it was accepted: its members' first revision.
        raise(revisions, approval.batch, Math.max(1, approval.revision));
      }
    } else if (regionOfId(approval.directive) === this.region) {
      const own = this.#ownOf(approval.directive);
      this.#change(own, () => {
        if (!approval.approved) {
          own.refusedRevision = Math.max(own.refusedRevision, approval.revision);
        } else if (approval.complete) {
          own.approvedRevision = Math.max(own.approvedRevision, approval.revision);
        }
      });
    }
  }

  #applyDecision(decision: Decision, { sequence, atMs }: DecidedBatch): void {
    const own = this.#ownOf(decision.directive);
    const known = own.decided;
    const newer =
      known === undefined ||
      decision.revision > known.revision ||
      (decision.revision === known.revision && sequence > known.sequence);
    if (newer) {
      const awaitsApproval = decision.decision === "held" && decision.missing.length > 0;
      this.#change(own, () => {
        const word = sharedText(decision.decision);
        own.decided = { revision: decision.revision, decision: word, awaitsApproval, sequence, atMs };
      });
    }
  }

  #ownOf(id: string): OwnDirective {
    let own = this.#own.get(id);
    if (own === undefined) {
      own = { directive: undefined, approvedRevision: 0, refusedRevision: 0, decided: undefined };
      this.#own.set(id, own);
    }
    return own;
  }

  /** Changes what is known of a directive and keeps the index of enforced ones true. */
  #change(own: OwnDirective, change: () => void): void {
    if (own.directive !== undefined) this.#listing.unlist(own.directive);
    change();
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
  ownDirective(id: string): Readonly<OwnDirective> | undefined {
    return this.#own.get(id);
  }

  /** All directives enforced from here at a time. */
  enforcedAt(nowMs: number): Iterable<OverlayDirective> {
    return this.#listing.inForceAt(nowMs);
  }

  /** Forgets directives that ended before a time, and final decisions on directives that never arrived. */
  forgetBefore(atMs: number): void {
    for (const [id, own] of this.#own) {
      const { directive, decided } = own;
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
    }
  }

  /** The whole overlay as plain data. */
  serialise(): OverlayState {
    return {
      region: this.region,
      eventsSequence: this.#eventsSequence,
      urgentSequence: this.#urgentSequence,
      directives: [...this.#own],
      approvedBatches: [...this.#batches.approved],
      refusedBatches: [...this.#batches.refused],
      revokedBatches: [...this.#batches.revoked],
      trunks: [...this.#region.trunks()],
      stops: [...this.#region.stops()],
    };
  }

  /** The overlay that serialise described. */
  static restore(state: OverlayState): Overlay {
    const overlay = new Overlay(state.region);
    overlay.#eventsSequence = state.eventsSequence;
    overlay.#urgentSequence = state.urgentSequence;
    const { approved, refused, revoked } = overlay.#batches;
    state.approvedBatches.forEach(([batch, revision]) => approved.set(batch, revision));
    state.refusedBatches.forEach(([batch, revision]) => refused.set(batch, revision));
    state.revokedBatches.forEach((batch) => revoked.add(batch));
    overlay.#region.restore(state.trunks, state.stops);
    for (const [id, own] of state.directives) {
      overlay.#own.set(id, own);
      overlay.#list(own);
    }
    return overlay;
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
    missing: directive.missing.map(sharedText),
    falseStopOf: directive.falseStopOf,
  };
}
