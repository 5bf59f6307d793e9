import type { OverlayDirective } from "./overlay-events.ts";
import { TargetIndex, type CallPlace, type Visitor } from "./target-index.ts";

/** Whether a directive is in force, but for its end and for what was said of its batch as a whole. */
export type Standing =
  | "in-force"
  /** Once its batch is approved. */
  | "with-batch"
  | "not";

/** What was said of whole batches. It is asked when a call is: one word about a hundred thousand members costs nothing. */
export class BatchWords {
  /** The revision of the members that was approved. */
  readonly approved = new Map<string, number>();
  /** The revision of the members that was refused. */
  readonly refused = new Map<string, number>();
  readonly revoked = new Set<string>();

  isRevoked({ batch }: Member): boolean {
    return batch !== "" && this.revoked.has(batch);
  }

  isApproved({ batch, revision }: Member): boolean {
    return this.approved.get(batch) === revision;
  }

  /** Whether it lets a member be in force. @param awaits needs its batch approved */
  permits(member: Member, awaits: boolean): boolean {
    if (member.batch === "") return true;
    const isRefused = this.refused.get(member.batch) === member.revision;
    return !this.isRevoked(member) && !isRefused && (!awaits || this.isApproved(member));
  }
}

type Member = Pick<OverlayDirective, "batch" | "revision">;

interface Listed {
  readonly directive: OverlayDirective;
  readonly awaits: boolean;
}

/** Listed directives of which all or none are in force. */
interface Group extends Member {
  readonly awaits: boolean;
  count: number;
}

/** A region's directives that are in force, or would be by a word about their batch, by target. */
export class OverlayListing {
  readonly #words: BatchWords;
  readonly #targets = new TargetIndex<readonly Listed[]>();
  readonly #groups = new Map<string, Group>();

  constructor(words: BatchWords) {
    this.#words = words;
  }

  /** Directives in force, ended ones included. */
  get size(): number {
    let size = 0;
    for (const group of this.#groups.values())
      if (this.#words.permits(group, group.awaits)) size += group.count;
    return size;
  }

  list(directive: OverlayDirective, standing: Standing): void {
    if (standing === "not") return;
    const awaits = standing === "with-batch";
    const { target } = directive;
    this.#targets.set(target, [...(this.#targets.get(target) ?? []), { directive, awaits }]);
    this.#count(directive, awaits, 1);
  }

  /** One that is not listed changes nothing. */
  unlist(directive: OverlayDirective): void {
    const { target } = directive;
    const listed = this.#targets.get(target);
    const found = listed?.find((each) => each.directive === directive);
    if (listed === undefined || found === undefined) return;
    this.#count(directive, found.awaits, -1);
    if (listed.length === 1) this.#targets.delete(target);
    else
      this.#targets.set(
        target,
        listed.filter((each) => each !== found),
      );
  }

  #count({ batch, revision }: OverlayDirective, awaits: boolean, more: number): void {
    const name = `${batch} ${revision} ${awaits}`;
    const group = this.#groups.get(name) ?? { batch, revision, awaits, count: 0 };
    group.count += more;
    if (group.count === 0) this.#groups.delete(name);
    else this.#groups.set(name, group);
  }

  /** Visits those in force that live at a time, about a call's number. */
  visitNumber(place: CallPlace, nowMs: number, visit: Visitor<OverlayDirective>): void {
    if (this.#groups.size > 0) this.#targets.visitNumber(place, this.#live(nowMs, visit));
  }

  /** The same about the trunk itself. */
  visitTrunk(trunk: string, nowMs: number, visit: Visitor<OverlayDirective>): void {
    this.#targets.visitTrunk(trunk, this.#live(nowMs, visit));
  }

  #live(nowMs: number, visit: Visitor<OverlayDirective>): Visitor<readonly Listed[]> {
    return (listed, specific, width) => {
      for (const { directive, awaits } of listed) {
        if (directive.expiresAtMs > nowMs && this.#words.permits(directive, awaits))
          visit(directive, specific, width);
      }
    };
  }

  /** All that are in force and live at a time. */
  *inForceAt(nowMs: number): Generator<OverlayDirective> {
    for (const listed of this.#targets.buckets()) {
      for (const { directive, awaits } of listed) {
        if (directive.expiresAtMs > nowMs && this.#words.permits(directive, awaits)) yield directive;
      }
    }
  }
}
