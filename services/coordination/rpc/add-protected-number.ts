import { InvalidInput } from "#domain/invalid-input.ts";
import { parseE164 } from "#domain/number.ts";
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
    const number = parseE164("number", request.number);
    const originatesFrom = parseTrunks(request.originatesFrom);
    const holder = parseHolder(request.holder);
    const { revision } = await capital.carryOut(
      person,
      protectNumber(person, number, originatesFrom, holder),
    );
    return { number, originatesFrom, holder, nationalRevision: revision };
  };

function parseTrunks(trunks: readonly string[]): string[] {
  if (trunks.length > trunksMax) {
    throw new InvalidInput({
      code: "too-many",
      field: "originates_from",
      value: String(trunks.length),
      message: "names too many trunks",
      remedy: `Give at most ${trunksMax} trunks.`,
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
