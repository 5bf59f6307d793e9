import type { ProtectedNumberView } from "#proto/qalqan/coordination/v1/coordination.ts";

/** A protected number, for --json. */
export function protectedDocument({ number, originatesFrom, holder, nationalRevision }: ProtectedNumberView) {
  return { number, originatesFrom, holder, nationalRevision };
}

export function protectedLine({ number, originatesFrom, holder }: ProtectedNumberView): string {
  return `${number}  originates from ${originatesFrom.join(", ")}  ${holder}`.trimEnd();
}
