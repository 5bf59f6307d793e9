import { Refusals } from "#domain/refusals.ts";
import type { Alarms } from "#platform/alarms.ts";
import type { TokenVerifier } from "#platform/identity.ts";
import { pause } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import { refusalsLookMs } from "./config.ts";
import { isKnownHere } from "./rpc/people.ts";
import { writeAudit } from "./store/audit.ts";
import type { CentreDatabase } from "./store/schema.ts";
import { inTransaction } from "./store/transaction.ts";

const code = "refused-access";
const service = "centre";

/**
 * Tokens that this centre refuses: those that prove nothing, and those of other
 * regions. Each kind is a line of the audit and of the log, then sums, and an
 * alarm for an hour.
 */
export class RefusedAccess {
  readonly #region: string;
  readonly #refusals = new Refusals();

  constructor(region: string) {
    this.#region = region;
  }

  /** The same, but what is refused is noted. */
  watched(verify: TokenVerifier): TokenVerifier {
    return async (authorization) => {
      const person = await verify(authorization).catch((error: unknown) => {
        this.#note("unknown person", "", "token");
        throw error;
      });
      if (!isKnownHere(person, this.#region))
        this.#note(person.id, person.region, `not for ${person.role} of ${person.region}`);
      return person;
    };
  }

  #note(actor: string, region: string, reason: string): void {
    const refused = { actor, region, what: code, detail: { service, reason } };
    this.#refusals.note(`${code} ${actor} ${reason}`, refused, 1, Date.now());
  }

  /** Tells the audit, the log and the alarms until the signal. */
  async run(database: CentreDatabase, alarms: Alarms, log: Log, signal: AbortSignal): Promise<void> {
    while (await pause(refusalsLookMs, signal)) {
      await this.#tell(database, log);
      const reasons = new Set(this.#refusals.recent().map(({ detail }) => String(detail["reason"])));
      if (reasons.size === 0) alarms.clear(code, service);
      else {
        const why = [...reasons].toSorted().slice(0, reasonsShownMax).join(", ");
        alarms.raise(code, service, `Refused within the last hour: ${why}. The audit has who and how often.`);
      }
    }
  }

  async #tell(database: CentreDatabase, log: Log): Promise<void> {
    const atMs = Date.now();
    for (const { actor, role, what, detail } of this.#refusals.due(atMs)) {
      const counted = JSON.parse(detail) as Readonly<Record<string, unknown>>;
      log.warn({ event: code, ...counted }, "a token was refused");
      try {
        await inTransaction(database, (transaction) =>
          writeAudit(transaction, { atMs, person: actor, role, what, subject: service, detail: counted }),
        );
      } catch (error) {
        log.warn({ event: code, err: error }, "the audit could not be told of it");
      }
    }
  }
}

const reasonsShownMax = 5;
