import { InvalidInput, parseWord } from "./invalid-input.ts";
import type { Verdict } from "./vocabulary.ts";

export const trunkDirections = ["international", "domestic"] as const;
export type TrunkDirection = (typeof trunkDirections)[number];

export const trunkModes = ["shadow", "mark", "enforce"] as const;
export type TrunkMode = (typeof trunkModes)[number];

/** Where calls come in, as its region's centre keeps it. */
export interface Trunk {
  id: string;
  direction: TrunkDirection;
  /** Carrier that owns it. */
  operator: string;
  sbcAddress: string;
  mode: TrunkMode;
  /** 0 to 100: share of calls that `enforce` enforces. */
  percent: number;
  /** Grows by one with each change, per region and trunk. */
  revision: number;
}

/** The word that stands for every international trunk in a number-on-trunk target. */
export const internationalWord = "international";

const trunkIdPattern = /^[a-z0-9][a-z0-9-]{0,62}$/u;

/** Whether the text is the id of one trunk. */
export function isTrunkId(text: string): boolean {
  return trunkIdPattern.test(text) && text !== internationalWord;
}

/**
 * The id of one trunk.
 * @throws InvalidInput `invalid-trunk`
 */
export function parseTrunkId(field: string, text: string): string {
  if (!isTrunkId(text)) {
    throw new InvalidInput({
      code: "invalid-trunk",
      field,
      value: text,
      message:
        text === internationalWord ? "is reserved: it means every international trunk" : "is not a trunk id",
      remedy: "Give the id of one trunk such as intl-1: small letters, digits, hyphens, at most 63.",
    });
  }
  return text;
}

/** @throws InvalidInput `unknown-value` */
export function parseTrunkDirection(field: string, text: string): TrunkDirection {
  return parseWord(trunkDirections, field, text);
}

/** @throws InvalidInput `unknown-value` */
export function parseTrunkMode(field: string, text: string): TrunkMode {
  return parseWord(trunkModes, field, text);
}

/**
 * Share of calls in percent, a whole number from 0 to 100.
 * @throws InvalidInput `invalid-percent`
 */
export function parsePercent(field: string, percent: number): number {
  if (!Number.isInteger(percent) || percent < 0 || percent > 100) {
    throw new InvalidInput({
      code: "invalid-percent",
      field,
      value: String(percent),
      message: "is not a share of calls",
      remedy: "Give a whole number from 0 to 100.",
    });
  }
  return percent;
}

/** What stands between a decision and the switch. */
export interface ModeSetting {
  mode: TrunkMode;
  /** 0 to 100, with `enforce`. */
  percent: number;
  /** A stop switch (carrier, region, nation) is on. */
  stopped: boolean;
  /** callBucket of the call, 0 to 99; 0 without a callKey. */
  bucket: number;
}

/** What the switch is told. */
export interface ModeOutcome {
  verdict: Verdict;
  /** The mode let the decision through unchanged. A caller id is withheld only then. */
  enforced: boolean;
  mode: TrunkMode | "stopped";
  /** The decision was to block or divert, and shadow (or a stop) let the call go on. */
  shadowStopped: boolean;
}

/**
 * Applies mode and stop switch to a decision. Under a stop and in shadow the
 * call goes on; `mark` warns where the decision is to block or divert;
 * `enforce N` enforces buckets below N and treats the others as shadow does.
 */
export function applyMode(decision: Verdict, setting: ModeSetting): ModeOutcome {
  const verdict = verdictUnder(decision, setting);
  return {
    verdict,
    enforced: verdict === decision,
    mode: setting.stopped ? "stopped" : setting.mode,
    shadowStopped: verdict === "allow" && (decision === "block" || decision === "divert"),
  };
}

function verdictUnder(decision: Verdict, setting: ModeSetting): Verdict {
  if (setting.stopped) {
    return "allow";
  }
  switch (setting.mode) {
    case "shadow":
      return "allow";
    case "mark":
      return decision === "allow" ? "allow" : "warn";
    case "enforce":
      return setting.bucket < setting.percent ? decision : "allow";
  }
}
