import { createHash, createHmac } from "node:crypto";
import type { DayKeys } from "./day-keys.ts";
import { emergencyCodes } from "./kazakh-codes.ts";
import type { Dialled } from "./number.ts";
import { dialledText, numberClass, parseDialled } from "./number.ts";
import type { TrunkDirection } from "./trunk.ts";

/** What the operator that serves a number says about its subscriber. */
export type RoamingAnswer = "yes" | "no" | "unknown";

/** Called numbers that everybody reaches, blocked or not. */
export type ReachableService = "emergency" | "short-code" | "appeal-line";

/** A call as a switch describes it. */
export interface CallDescription {
  /** From, in any dialled form; empty: withheld. */
  callingNumber: string;
  /** P-Asserted-Identity (RFC 3325), or empty. */
  assertedNumber: string;
  calledNumber: string;
  trunk: string;
  /** Last diverting number (RFC 7044, RFC 5806), or empty. */
  diversionNumber: string;
}

/** What is known about a call beyond its description. */
export interface CallCircumstances {
  /** Undefined: a trunk that this region does not know. */
  direction: TrunkDirection | undefined;
  /** E.164 numbers on which people appeal. */
  appealLines: ReadonlySet<string>;
  roaming: RoamingAnswer;
}

/** A call, normalised, as `collect` and `decide` take it. */
export interface CallQuestion {
  from: Dialled;
  /** Undefined where none was sent. */
  asserted: Dialled | undefined;
  called: Dialled;
  /** Undefined for an ordinary subscriber. */
  service: ReachableService | undefined;
  trunk: string;
  direction: TrunkDirection | undefined;
  diversion: Dialled | undefined;
  roaming: RoamingAnswer;
}

/** Normalises a call; never throws. */
export function callQuestion(call: CallDescription, circumstances: CallCircumstances): CallQuestion {
  const called = parseDialled(call.calledNumber);
  return {
    from: parseDialled(call.callingNumber),
    asserted: call.assertedNumber === "" ? undefined : parseDialled(call.assertedNumber),
    called,
    service: serviceOf(called, circumstances.appealLines),
    trunk: call.trunk,
    direction: circumstances.direction,
    diversion: call.diversionNumber === "" ? undefined : parseDialled(call.diversionNumber),
    roaming: circumstances.roaming,
  };
}

function serviceOf(called: Dialled, appealLines: ReadonlySet<string>): ReachableService | undefined {
  if (called.kind === "short") {
    return emergencyCodes.has(called.code) ? "emergency" : "short-code";
  }
  if (called.kind === "unknown" && sosUrn.test(called.text)) {
    return "emergency";
  }
  return called.kind === "e164" && appealLines.has(called.number) ? "appeal-line" : undefined;
}

/** Emergency services as a SIP telephone may dial them (RFC 5031): `urn:service:sos.ambulance`. */
const sosUrn = /^\s*<?urn:service:sos(?:[.>;]|\s*$)/iu;

/** What the key of a call is made of. */
export interface CallTrace {
  /** icid-value of P-Charging-Vector (RFC 7315), or empty. */
  chargingId: string;
  /** Call-ID (RFC 3261), or empty. */
  callId: string;
  calling: Dialled;
  called: Dialled;
  /** Milliseconds since 1970. */
  atMs: number;
}

/** Two questions of one call fall into the same ten seconds, mostly. */
const fallbackBucketMs = 10_000;

/**
 * The key that joins the questions of several switches about one call: the
 * charging id, else the Call-ID, else a hash of both numbers and ten seconds
 * (`fallback`), keyed with the region's key of that day, which other regions
 * cannot join. Ten seconds never lie in two days.
 */
export function callKeyOf(call: CallTrace, keys: DayKeys): { callKey: string; fallback: boolean } {
  const given = call.chargingId === "" ? call.callId : call.chargingId;
  if (given !== "") {
    return { callKey: given, fallback: false };
  }
  const bucket = String(Math.floor(call.atMs / fallbackBucketMs));
  return {
    callKey: keyedHash(keys.at(call.atMs), "call", call.calling, call.called, bucket),
    fallback: true,
  };
}

/**
 * Key of a pair of numbers, for redials of one region: the same for every
 * call of these two on one day, as redials are counted. It stays in the region.
 */
export function pairKey(calling: Dialled, called: Dialled, keys: DayKeys, atMs: number): string {
  return keyedHash(keys.at(atMs), "pair", calling, called, "");
}

function keyedHash(key: Uint8Array, use: string, calling: Dialled, called: Dialled, more: string): string {
  const content = JSON.stringify([use, dialledText(calling), dialledText(called), more]);
  return createHmac("sha256", key).update(content, "utf8").digest("base64url");
}

const answeredKeyBytes = 8;

/** What statistics count a call by: the first 64 bits of SHA-256 of its callKey. */
export function answeredKey(callKey: string): Uint8Array {
  return createHash("sha256").update(callKey, "utf8").digest().subarray(0, answeredKeyBytes);
}

/**
 * The bucket of a call, 0 to 99, for `enforce N %`: all switches that see the
 * call get the same. An empty key (a trial without one) is bucket 0.
 */
export function callBucket(callKey: string): number {
  return callKey === "" ? 0 : createHash("sha256").update(callKey, "utf8").digest().readUInt32BE(0) % 100;
}

/** The longest area code in use, in digits. */
const areaCodeDigitsMax = 5;

/**
 * The region of the called person: by area code on fixed lines, else as the
 * carrier says, else empty (unattributed).
 * @param carrierSays slug, or empty
 * @param regionOfAreaCode slug by area code (three to five digits, without +7)
 */
export function attributedRegion(
  called: Dialled,
  carrierSays: string,
  regionOfAreaCode: ReadonlyMap<string, string>,
): string {
  if (called.kind === "e164" && numberClass(called.number) === "kz-fixed") {
    for (let digits = areaCodeDigitsMax; digits >= 3; digits--) {
      const region = regionOfAreaCode.get(called.number.slice(2, 2 + digits));
      if (region !== undefined) {
        return region;
      }
    }
  }
  return carrierSays;
}
