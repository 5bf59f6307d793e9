/** Something that a platform engineer asked for cannot be done; says which field, which value, and what would be right. */
export class Problem extends Error {
  override readonly name = "Problem";
  /** In lower-case words joined by hyphens, for programs. */
  readonly code: string;
  readonly field: string;
  readonly value: string;
  readonly remedy: string;

  constructor(detail: {
    readonly code: string;
    readonly field: string;
    readonly value: string;
    readonly message: string;
    readonly remedy: string;
  }) {
    super(detail.message);
    this.code = detail.code;
    this.field = detail.field;
    this.value = detail.value;
    this.remedy = detail.remedy;
  }
}
