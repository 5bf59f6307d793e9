import { legalBases } from "#domain/catalogue.ts";
import { requirement, widestScopeAlone, type PowersContext, type PowersQuestion } from "#domain/powers.ts";
import { targetFrom, targetKey, type Target } from "#domain/target.ts";
import type { TrunkDirection } from "#domain/trunk.ts";
import type { Role } from "#domain/vocabulary.ts";
import { CommandFailed } from "./failure.ts";
import { first, type Who } from "./people.ts";
import type { Session } from "./session.ts";

/** What is to be issued, as the person gave it. */
export interface IssueWish {
  readonly number: string;
  readonly range: string;
  readonly trunk: string;
  readonly action: string;
  readonly basis: string;
  readonly scope: string;
  readonly expiresAtMs: number;
  readonly overrideRevision: number;
}

/** So many operators are asked for targets left; each has fifty in a rolling day. */
const operatorsMax = 200;

/**
 * The sample person who may do it: an operator with targets left, or a
 * prosecutor where less would be missing then. What cannot be read is left to
 * the service, which says what is wrong with it.
 */
export async function chooseAuthor(session: Session, region: string, wish: IssueWish): Promise<Who> {
  const prosecutor = first("regional-prosecutor", region);
  const target = readTarget(wish);
  if (target !== undefined) {
    const context = await powersContext(session, region, target);
    const missing = (role: Role) => approvalsMissing(wish, target, role, context);
    if (missing("regional-prosecutor") < missing("operator")) return prosecutor;
  }
  return operatorWithTargetsLeft(session, region);
}

function readTarget(wish: IssueWish): Target | undefined {
  try {
    return targetFrom(wish);
  } catch {
    return undefined;
  }
}

/** How many approvals it takes at least, when this role issues it; Infinity: never. */
function approvalsMissing(wish: IssueWish, target: Target, role: Role, context: PowersContext): number {
  const question: Omit<PowersQuestion, "scope"> = {
    target: targetKey(target),
    action: wish.action,
    basis: wish.basis === "" ? (legalBases[0]?.code ?? "") : wish.basis,
    authorRole: role,
    expiresAtMs: wish.expiresAtMs,
    termFromMs: Date.now(),
    overrideRevision: wish.overrideRevision,
    batch: "",
    falseStopOf: "",
    beyondDailyTargets: false,
  };
  const scope = wish.scope === "" ? (widestScopeAlone(question, context) ?? "nation") : wish.scope;
  const needed = requirement({ ...question, scope }, context);
  if (needed.kind === "alone") return 0;
  if (needed.kind === "forbidden") return Infinity;
  return Math.min(...needed.alternatives.map((set) => set.length));
}

/** Powers depend on a trunk's direction, which its region knows. */
async function powersContext(session: Session, region: string, target: Target): Promise<PowersContext> {
  const directions = new Map<string, TrunkDirection>();
  if (target.kind === "number-on-trunk") {
    const centre = await session.centre(region, first("operator", region), "quiet");
    for (const trunk of (await centre.call("listTrunks", {})).trunks) {
      if (trunk.direction === "international" || trunk.direction === "domestic") {
        directions.set(trunk.trunk, trunk.direction);
      }
    }
  }
  return { trunkDirection: (trunk) => directions.get(trunk) };
}

/** @throws CommandFailed when all have used theirs up */
async function operatorWithTargetsLeft(session: Session, region: string): Promise<Who> {
  for (let number = 1; number <= operatorsMax; number += 1) {
    const who: Who = { ...first("operator", region), number };
    const centre = await session.centre(region, who, "quiet");
    const { targetsLeft } = await centre.call("getQuota", { person: "" });
    if (targetsLeft > 0) return who;
  }
  throw new CommandFailed({
    code: "exhausted",
    field: "region",
    value: region,
    message: `the first ${operatorsMax} sample operators of ${region} have no targets left today`,
    remedy: "import the numbers as a batch, or log in as another person",
  });
}
