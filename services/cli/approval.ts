import { first, unlike, type Who } from "./people.ts";

/** Which approval a command gives, and as whom. */
export interface ApprovalPlan {
  readonly who: Who;
  /** second-person | second-region | carrier; empty: the service sees what the person can give. */
  readonly kind: string;
}

/**
 * The sample person who can give what is missing: never the author.
 *
 * @param own the region of the directive or batch
 * @param chosen `--region`: another region than the own one means "as the second region"
 * @param others regions that run beside it
 */
export function planApproval(
  missing: readonly string[],
  author: string,
  own: string,
  chosen: string | undefined,
  others: readonly string[],
): ApprovalPlan {
  const prosecutorOf = (region: string) => unlike(author, first("regional-prosecutor", region));
  if (chosen !== undefined && chosen !== own) return { who: prosecutorOf(chosen), kind: "second-region" };
  if (missing.includes("second-person")) return { who: prosecutorOf(own), kind: "second-person" };
  if (missing.includes("carrier")) return { who: first("carrier", own), kind: "carrier" };
  const [second] = others;
  if (missing.includes("second-region") && second !== undefined) {
    return { who: prosecutorOf(second), kind: "second-region" };
  }
  return { who: prosecutorOf(own), kind: "" };
}
