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
import { RegionTrunks } from "./region-trunks.ts";
import { sharedText } from "./shared-text.ts";
import type { CallPlace } from "./target-index.ts";
import { TargetIndex } from "./target-index.ts";
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
  readonly #approvedBatches = new Map<string, number>();
  readonly #refusedBatches = new Map<string, number>();
  readonly #revokedBatches = new Set<string>();
  readonly #region = new RegionTrunks();
  /** Directives enforced now but for their end, by target. */
  readonly #enforced = new TargetIndex<OverlayDirective[]>();
  #enforcedCount = 0;

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
    return this.#enforcedCount;
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
        this.#revokedBatches.add(body.value.batch);
        this.#reconsiderBatch(body.value.batch);
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
      if (regionOfId(revoked) === this.region && !this.#revokedBatches.has(revoked)) {
        this.#revokedBatches.add(revoked);
        this.#reconsiderBatch(revoked);
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
      const revisions = approval.approved ? this.#approvedBatches : this.#refusedBatches;
      if (approval.batch !== "" && (approval.complete || !approval.approved)) {
        // A batch is approved as it was accepted: its members' first revision.
        raise(revisions, approval.batch, Math.max(1, approval.revision));
        this.#reconsiderBatch(approval.batch);
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
    this.#unlist(own.directive);
    change();
    this.#list(own);
  }

  #list(own: OwnDirective): void {
    const { directive } = own;
    if (directive !== undefined && this.#isEnforced(own, directive)) {
      const listed = this.#enforced.get(directive.target) ?? [];
      this.#enforced.set(directive.target, [...listed, directive]);
      this.#enforcedCount++;
    }
  }

  #unlist(directive: OverlayDirective | undefined): void {
    const listed = directive === undefined ? undefined : this.#enforced.get(directive.target);
    if (directive === undefined || listed === undefined || !listed.includes(directive)) {
      return;
    }
    this.#enforcedCount--;
    if (listed.length === 1) {
      this.#enforced.delete(directive.target);
    } else {
      this.#enforced.set(
        directive.target,
        listed.filter((each) => each !== directive),
      );
    }
  }

  /** One event about a batch is rare, so its members are found by looking at all. */
  #reconsiderBatch(batch: string): void {
    for (const own of this.#own.values()) {
      if (own.directive?.batch === batch) {
        this.#change(own, () => {});
      }
    }
  }

  /** Whether a directive is in force here, but for its end. */
  #isEnforced(own: OwnDirective, directive: OverlayDirective): boolean {
    if (this.#isWithdrawn(directive) || this.#isRefused(own, directive)) {
      return false;
    }
    const approved = this.#isApproved(own, directive);
    const { decided } = own;
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

  #isWithdrawn(directive: OverlayDirective): boolean {
    return directive.revoked || (directive.batch !== "" && this.#revokedBatches.has(directive.batch));
  }

  #isRefused(own: OwnDirective, { revision, batch }: OverlayDirective): boolean {
    return own.refusedRevision === revision || this.#refusedBatches.get(batch) === revision;
  }

  #isApproved(own: OwnDirective, { revision, batch }: OverlayDirective): boolean {
    return own.approvedRevision === revision || this.#approvedBatches.get(batch) === revision;
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
    if (this.#enforcedCount > 0) {
      this.#enforced.visitNumber(place, (listed, specific, width) =>
        visitLive(listed, nowMs, specific, width, visit),
      );
    }
  }

  /** Visits the live directives about the trunk itself. */
  visitTrunk(trunk: string, nowMs: number, visit: OverlayVisitor): void {
    this.#enforced.visitTrunk(trunk, (listed, specific, width) =>
      visitLive(listed, nowMs, specific, width, visit),
    );
  }

  /** What is known of an own directive. */
  ownDirective(id: string): Readonly<OwnDirective> | undefined {
    return this.#own.get(id);
  }

  /** All directives enforced from here at a time. */
  *enforcedAt(nowMs: number): Generator<OverlayDirective> {
    for (const listed of this.#enforced.buckets()) {
      yield* listed.filter((directive) => directive.expiresAtMs > nowMs);
    }
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
        this.#unlist(directive);
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
      approvedBatches: [...this.#approvedBatches],
      refusedBatches: [...this.#refusedBatches],
      revokedBatches: [...this.#revokedBatches],
      trunks: [...this.#region.trunks()],
      stops: [...this.#region.stops()],
    };
  }

  /** The overlay that serialise described. */
  static restore(state: OverlayState): Overlay {
    const overlay = new Overlay(state.region);
    overlay.#eventsSequence = state.eventsSequence;
    overlay.#urgentSequence = state.urgentSequence;
    state.approvedBatches.forEach(([batch, revision]) => overlay.#approvedBatches.set(batch, revision));
    state.refusedBatches.forEach(([batch, revision]) => overlay.#refusedBatches.set(batch, revision));
    state.revokedBatches.forEach((batch) => overlay.#revokedBatches.add(batch));
    overlay.#region.restore(state.trunks, state.stops);
    for (const [id, own] of state.directives) {
      overlay.#own.set(id, own);
      overlay.#list(own);
    }
    return overlay;
  }
}

function visitLive(
  listed: readonly OverlayDirective[],
  nowMs: number,
  specific: number,
  width: number,
  visit: OverlayVisitor,
): void {
  for (const directive of listed) {
    if (directive.expiresAtMs > nowMs) {
      visit(directive, specific, width);
    }
  }
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
