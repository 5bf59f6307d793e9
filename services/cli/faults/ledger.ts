/**
 * What was acknowledged to the clients of a run, written down by the clients
 * themselves: the other half of every comparison with what regions enforce.
 */
export interface LedgerEntry {
  readonly region: string;
  /** Foreign number, one directive each. */
  readonly number: string;
  readonly idempotencyKey: string;
  /** Once acknowledged. */
  directive: string | undefined;
  acknowledgedAtMs: number | undefined;
  /** asked: sent, outcome not known yet; acknowledged: promised to us; refused: counted as such, so either outcome is right. */
  revocation: "none" | "asked" | "acknowledged" | "refused";
  /** The region lost the disk that knew it before anybody else did: it may be there or not. */
  isAtRisk: boolean;
}

export class Ledger {
  readonly entries: LedgerEntry[] = [];
  /** Requests that had to be sent again because no answer came. */
  repeatedRequests = 0;
  /** Requests refused for another reason than a part being away; each is a defect of the run. */
  readonly refused: string[] = [];
  /** Questions of switches: answered, and not answered (the switch's own timer lets the call go on). */
  questionsAnswered = 0;
  questionsUnanswered = 0;

  open(region: string, number: string, idempotencyKey: string): LedgerEntry {
    const entry: LedgerEntry = {
      region,
      number,
      idempotencyKey,
      directive: undefined,
      acknowledgedAtMs: undefined,
      revocation: "none",
      isAtRisk: false,
    };
    this.entries.push(entry);
    return entry;
  }

  get acknowledged(): LedgerEntry[] {
    return this.entries.filter((entry) => entry.directive !== undefined);
  }

  get revoked(): LedgerEntry[] {
    return this.entries.filter((entry) => entry.revocation === "acknowledged");
  }
}
