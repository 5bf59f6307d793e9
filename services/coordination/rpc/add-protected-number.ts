import { InvalidInput } from "#domain/invalid-input.ts";
import { numberClass, parseE164 } from "#domain/number.ts";
import { parseTrunkId } from "#domain/trunk.ts";
import type { CallContext } from "#platform/grpc-server.ts";
import type {
  AddProtectedNumberRequest,
  ProtectedNumberView,
} from "#proto/qalqan/coordination/v1/coordination.ts";
import type { Capital } from "../capital.ts";
import { protectNumber } from "../domain/commands.ts";

const trunksMax = 100;
const holderCharactersMax = 200;

/** Protects a number: where it really originates it is no target, everywhere else it is forged. */
export const addProtectedNumber =
  (capital: Capital) =>
  async (request: AddProtectedNumberRequest, context: CallContext): Promise<ProtectedNumberView> => {
    const person = await context.person();
    const number = parseOrganisation(request.number);
    const originatesFrom = parseTrunks(request.originatesFrom);
    const holder = parseHolder(request.holder);
    const { revision } = await capital.carryOut(
      person,
      protectNumber(person, number, originatesFrom, holder),
    );
    return { number, originatesFrom, holder, nationalRevision: revision };
  };

/**
 * A protected number is blocked wherever else it is shown, so one person could
 * cut off a citizen by protecting his number: mobile subscribers are citizens.
 */
function parseOrganisation(text: string): string {
  const number = parseE164("number", text);
  if (numberClass(number) !== "kz-mobile") return number;
  throw new InvalidInput({
    code: "mobile-number",
    field: "number",
    value: text,
    message: "is a mobile subscriber's, who would be cut off on every trunk but those named",
    remedy: "Protect fixed, 800 and foreign numbers of banks, state bodies and clinics alone.",
  });
}

function parseTrunks(trunks: readonly string[]): string[] {
  if (trunks.length === 0 || trunks.length > trunksMax) {
    throw new InvalidInput({
      code: "wrong-count",
      field: "originates_from",
      value: String(trunks.length),
      message: "does not name the trunks where the number really originates",
      remedy: `Give one to ${trunksMax} trunks.`,
    });
  }
  // Single trunks alone: with every international one the number would be a passport for whoever shows it.
  return trunks.map((trunk) => parseTrunkId("originates_from", trunk));
}

function parseHolder(text: string): string {
  const holder = text.trim();
  // No control characters: PostgreSQL takes no NUL, and people read it in one line.
  if (holder !== "" && holder.length <= holderCharactersMax && !/\p{Cc}/u.test(holder)) return holder;
  throw new InvalidInput({
    code: "invalid-holder",
    field: "holder",
    value: text,
    message: "is not the name of an organisation",
    remedy: `Give the bank, state body or clinic whose number it is, in at most ${holderCharactersMax} characters.`,
  });
}
