import { regionOfId } from "#domain/vocabulary.ts";
import type {
  Approval,
  BatchRevocation,
  Count,
  Counters,
  Directive,
  Event,
  Intelligence,
  IntelligenceWithdrawn,
  Receipt,
  TrunkSet,
} from "#proto/qalqan/events/v1/events.ts";
import type { EpochOpened, RegionAlarms, Seal, StreamReport } from "#proto/qalqan/events/v1/sync.ts";
import { inTime, isPlausibleMinute } from "./plausible.ts";

/** What came up from the regions in one step and is to be applied as one. */
export interface Intake {
  readonly directives: Directive[];
  readonly approvals: Approval[];
  readonly batchRevocations: BatchRevocation[];
  readonly trunks: { readonly region: string; readonly trunk: TrunkSet }[];
  readonly receipts: { readonly region: string; readonly receipt: Receipt; readonly heardAtMs: number }[];
  readonly counters: Counters[];
  /** What replications say of their regions' streams. */
  readonly reports: RegionReport[];
  readonly alarms: { readonly region: string; readonly said: RegionAlarms }[];
  /** Epochs that regions have opened. */
  readonly openings: { readonly region: string; readonly opened: EpochOpened }[];
  /** Pieces shared and withdrawn, in the order in which they came. */
  readonly intelligence: IntelligenceNews[];
  /** What was not accepted, by region and reason. */
  readonly refused: Map<string, RefusedEvents>;
  /** Events whose kind only another release knows: kept in their stream, counted. */
  unknown: number;
}

export type IntelligenceNews =
  | { readonly kind: "shared"; readonly region: string; readonly piece: Intelligence }
  | { readonly kind: "withdrawn"; readonly region: string; readonly piece: IntelligenceWithdrawn };

interface RegionReport {
  readonly region: string;
  readonly epoch: number;
  readonly streams: readonly StreamReport[];
  readonly nationalSeal: Seal | undefined;
}

/** Events of one region that were refused for one reason. */
export interface RefusedEvents {
  readonly region: string;
  readonly stream: string;
  readonly reason: RefusedReason;
  /** Sequence of the first one in its stream. */
  readonly firstSequence: number;
  count: number;
}

export type RefusedReason =
  /** The bytes are no event. */
  | "unreadable"
  /** It speaks for a region whose lane this is not. */
  | "other-region"
  /** An id, a target or a word that no release writes. */
  | "malformed"
  /** A revision further from the last one than anybody writes. */
  | "far-ahead"
  /** The hub stored it after the key of the region's line was revoked. */
  | "key-revoked";

/** Where an event stood. */
export interface Place {
  readonly region: string;
  readonly stream: string;
  readonly epoch: number;
  readonly sequence: number;
  readonly heardAtMs: number;
}

export function emptyIntake(): Intake {
  return {
    directives: [],
    approvals: [],
    batchRevocations: [],
    trunks: [],
    receipts: [],
    counters: [],
    reports: [],
    alarms: [],
    openings: [],
    intelligence: [],
    refused: new Map(),
    unknown: 0,
  };
}

/**
 * Adds one event to the intake. A lane of a region is heard for that region
 * alone: what claims to be another's is refused and counted, and the rest of
 * the event is taken.
 */
export function admit(intake: Intake, event: Event | undefined, place: Place): void {
  if (event === undefined) return refuse(intake, place, "unreadable");
  const { body } = event;
  switch (body?.$case) {
    case "directives":
      if (body.value.directives.length > directivesMax) return refuse(intake, place, "malformed");
      for (const directive of body.value.directives) {
        const reason = objection(place, regionOfId(directive.id), isDirective(directive));
        if (reason === undefined) intake.directives.push(inTime(directive, place.heardAtMs));
        else refuse(intake, place, reason);
      }
      return;
    case "approval":
      return addIf(intake, place, body.value.region, isApproval(body.value), () =>
        intake.approvals.push(body.value),
      );
    case "batchRevocation":
      return addIf(intake, place, regionOfId(body.value.batch), isBatchRevocation(body.value), () =>
        intake.batchRevocations.push(body.value),
      );
    case "trunkSet":
      return addIf(intake, place, place.region, [body.value.trunk, body.value.direction].every(isWord), () =>
        intake.trunks.push({ region: place.region, trunk: body.value }),
      );
    case "receipt":
      return addIf(intake, place, body.value.region, isWord(body.value.replica), () =>
        intake.receipts.push({ region: place.region, receipt: body.value, heardAtMs: place.heardAtMs }),
      );
    case "counters":
      return addIf(intake, place, body.value.region, isCounters(body.value, place.heardAtMs), () =>
        intake.counters.push(body.value),
      );
    case "intelligence": {
      const piece = body.value.intelligence;
      const fits = piece !== undefined && isId(piece.id) && isAudience(piece.audience);
      return addIf(intake, place, regionOfId(piece?.id ?? ""), fits, () => {
        if (piece !== undefined) intake.intelligence.push({ kind: "shared", region: place.region, piece });
      });
    }
    case "intelligenceWithdrawn":
      return addIf(intake, place, regionOfId(body.value.id), isWithdrawal(body.value), () =>
        intake.intelligence.push({ kind: "withdrawn", region: place.region, piece: body.value }),
      );
    case "heartbeat":
      return addIf(intake, place, body.value.region, true, () => {
        const { streams, nationalSeal } = body.value;
        intake.reports.push({ region: place.region, epoch: place.epoch, streams, nationalSeal });
      });
    case "alarms":
      return addIf(intake, place, body.value.region, isAlarms(body.value), () =>
        intake.alarms.push({ region: place.region, said: body.value }),
      );
    case "epochOpened":
      // Once for both lanes; fed again it is never.
      if (body.value.lane === "urgent") intake.openings.push({ region: place.region, opened: body.value });
      return;
    case "seal":
      // The stream keeps them; the national table does not know them.
      return;
    case "regionStop":
      // A region's own switch; the stream keeps it, and the national table does not know it.
      return;
    case undefined:
      intake.unknown += 1;
      return;
    default:
      return body satisfies never;
  }
}

/** Adds a refusal found later than at the door. */
export function refuse(intake: Intake, place: Place, reason: RefusedReason): void {
  const key = `${place.stream} ${reason}`;
  const known = intake.refused.get(key);
  if (known !== undefined) known.count += 1;
  else {
    const { region, stream, sequence } = place;
    intake.refused.set(key, { region, stream, reason, firstSequence: sequence, count: 1 });
  }
}

function addIf(intake: Intake, place: Place, region: string, wellFormed: boolean, add: () => unknown): void {
  const reason = objection(place, region, wellFormed);
  if (reason === undefined) add();
  else refuse(intake, place, reason);
}

function objection(place: Place, region: string, wellFormed: boolean): RefusedReason | undefined {
  if (region !== place.region) return "other-region";
  return wellFormed ? undefined : "malformed";
}

/** Ids and targets become keys in PostgreSQL, which takes no NUL and no half characters. */
const idPattern = /^[a-z][a-z-]{0,62}-[0-9A-Za-z]{1,40}$/;
const targetPattern = /^[\x21-\x7e]{1,200}$/;
const wordPattern = /^[\x20-\x7e]{1,200}$/;

/** The contract's: what an event of EVENTS has at most. */
const directivesMax = 1_000;

const isId = (text: string): boolean => idPattern.test(text);
const isWord = (text: string): boolean => wordPattern.test(text);
const isWordOrEmpty = (text: string): boolean => text === "" || isWord(text);
const isBatch = (text: string): boolean => text === "" || isId(text);
/** `all`, or slugs with commas between them. */
const isAudience = (text: string): boolean => /^[a-z,-]{0,1000}$/.test(text);

function isDirective(directive: Directive): boolean {
  return (
    isId(directive.id) &&
    directive.revision > 0 &&
    targetPattern.test(directive.target) &&
    isBatch(directive.batch) &&
    [directive.action, directive.reason, directive.authorRole, directive.falseStopOf].every(isWordOrEmpty)
  );
}

function isApproval(approval: Approval): boolean {
  const subject = approval.directive === "" ? isId(approval.batch) : isId(approval.directive);
  return subject && isBatch(approval.batch) && [approval.person, approval.kind, approval.role].every(isWord);
}

function isBatchRevocation(revocation: BatchRevocation): boolean {
  return (
    isId(revocation.batch) && [revocation.person, revocation.role, revocation.reason].every(isWordOrEmpty)
  );
}

function isWithdrawal({ id, audience }: IntelligenceWithdrawn): boolean {
  return isId(id) && isAudience(audience);
}

/** Alarms that one service may have at once. */
const alarmsMax = 100;
const detailPattern = /^[^\0]{0,1000}$/u;

function isAlarms({ source, alarms }: RegionAlarms): boolean {
  return (
    isWord(source) &&
    alarms.length <= alarmsMax &&
    alarms.every(
      ({ code, subject, detail }) => isWord(code) && isWordOrEmpty(subject) && detailPattern.test(detail),
    )
  );
}

const answeredKeyBytes = 8;
/** More than a switch can ask in a minute, and sums of it stay exact. */
const questionsMax = 1e9;

function isCounters(counters: Counters, heardAtMs: number): boolean {
  const isMinute = (minute: number) => isPlausibleMinute(minute, heardAtMs);
  return (
    isWord(counters.source) &&
    counters.calls.every(
      ({ key, minute, verdict, reason, attributedTo }) =>
        key.length === answeredKeyBytes &&
        isMinute(minute) &&
        [verdict, reason, attributedTo].every(isWordOrEmpty),
    ) &&
    counters.minutes.every(({ minute, counts }) => isMinute(minute) && counts.every(isCount))
  );
}

function isCount({ verdict, reason, trunk, mode, decision, questions }: Count): boolean {
  return questions <= questionsMax && [verdict, reason, trunk, mode, decision].every(isWordOrEmpty);
}
