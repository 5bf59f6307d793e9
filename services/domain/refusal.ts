/** Why something that was understood is not done. */
export type RefusalCode =
  | "not-found"
  | "forbidden"
  | "conflict"
  | "unavailable"
  | "exhausted"
  | "already-exists"
  | "unauthenticated"
  | "failed-precondition";

/** What a {@link Refusal} says. */
export interface RefusalDetail {
  code: RefusalCode;
  /** Name of the field that stands in the way, or empty. */
  field: string;
  /** Its value, or empty. */
  value: string;
  /** Why it is refused. */
  message: string;
  /** What would be right, or who may do it. */
  remedy: string;
}

/**
 * A well-formed request that is not carried out: powers, conflicts, limits,
 * something that does not exist. Translated at the edges, like InvalidInput.
 */
export class Refusal extends Error {
  readonly code: RefusalCode;
  readonly field: string;
  readonly value: string;
  readonly remedy: string;

  constructor(detail: RefusalDetail) {
    super(detail.message);
    this.name = "Refusal";
    this.code = detail.code;
    this.field = detail.field;
    this.value = detail.value;
    this.remedy = detail.remedy;
  }
}
