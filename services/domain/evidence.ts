import { InvalidInput } from "./invalid-input.ts";
import { numberClass, parseDialled } from "./number.ts";

/** A directive rests on at most this many pieces of evidence. */
const evidenceMax = 100;
/** Letters, figures and what stands between them in an id: no room for a sentence, nor for `+7…`. */
const evidencePattern = /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}$/u;
/** `<slug>-<ULID>` */
const directivePattern = /^[a-z][a-z-]*-[0-9A-HJKMNP-TV-Z]{26}$/u;

/**
 * Evidence leaves its region with the directive, so it is ids alone: no free
 * text, and no number that may be a victim's.
 * @throws InvalidInput `too-many`, `invalid-evidence`
 */
export function checkEvidence(field: string, ids: readonly string[]): void {
  if (ids.length > evidenceMax) {
    throw new InvalidInput({
      code: "too-many",
      field,
      value: String(ids.length),
      message: "has too many ids",
      remedy: `Give at most ${evidenceMax}.`,
    });
  }
  const value = ids.find((id) => !evidencePattern.test(id) || isSubscriber(id));
  if (value !== undefined) {
    throw new InvalidInput({
      code: "invalid-evidence",
      field,
      value,
      message: "is not the id of a piece of evidence",
      remedy: "Give ids of letters, figures, points and hyphens; a number or a name stays in its region.",
    });
  }
}

/** Whether the text reads as the number of a Kazakh subscriber, in any dialled form. */
function isSubscriber(id: string): boolean {
  const dialled = parseDialled(id);
  const shown = dialled.kind === "e164" ? numberClass(dialled.number) : "foreign";
  return shown === "kz-mobile" || shown === "kz-fixed";
}

/**
 * The directive that stopped a legitimate call; empty: none is named. It goes
 * up and down with the allow, so it is an id and nothing else.
 * @throws InvalidInput `invalid-id`
 */
export function checkStopped(field: string, id: string): void {
  if (id !== "" && !directivePattern.test(id)) {
    throw new InvalidInput({
      code: "invalid-id",
      field,
      value: id,
      message: "is not the id of a directive",
      remedy: "Give the id of the directive that stopped the call, as `screen` or the call shows it.",
    });
  }
}
