import { Refusals } from "#domain/refusals.ts";
import type { Alarms } from "#platform/alarms.ts";
import type { RefusedToken } from "#platform/identity.ts";
import { pause } from "#platform/lifecycle.ts";
import type { Log } from "#platform/log.ts";
import { refusalsLookMs } from "./config.ts";
import { writeAudit } from "./store/audit.ts";
import type { CentreDatabase } from "./store/schema.ts";
import { inTransaction } from "./store/transaction.ts";

const code = "refused-access";
/** Services whose refusals this centre tells of; the second says its own by ReportRefusals. */
type Refusing = "centre" | "screening";
const refusing: readonly Refusing[] = ["centre", "screening"];

/**
 * Tokens that are refused in this region: those that prove nothing, and those of
 * other regions. Each kind is a line of the audit and of the log, then sums, and
 * an alarm for an hour.
 */
export class RefusedAccess {
  readonly #refusals = new Refusals();

  note(service: Refusing, { actor, region, reason }: RefusedToken, count = 1): void {
    const refused = { actor, region, what: code, detail: { service, reason } };
    this.#refusals.note(`${code} ${service} ${actor} ${reason}`, refused, count, Date.now());
  }

  /** Tells the audit, the log and the alarms until the signal. */
  async run(database: CentreDatabase, alarms: Alarms, log: Log, signal: AbortSignal): Promise<void> {
    while (await pause(refusalsLookMs, signal)) {
      await this.#tell(database, log);
      for (const service of refusing) this.#show(service, alarms);
    }
  }

  #show(service: Refusing, alarms: Alarms): void {
    const details = this.#refusals.recent().map(({ detail }) => detail);
    const ofService = details.filter((detail) => detail["service"] === service);
    const reasons = new Set(ofService.map((detail) => String(detail["reason"])));
    if (reasons.size === 0) return alarms.clear(code, service);
    const why = [...reasons].toSorted().slice(0, reasonsShownMax).join(", ");
    alarms.raise(code, service, `Refused within the last hour: ${why}. The audit has who and how often.`);
  }

  async #tell(database: CentreDatabase, log: Log): Promise<void> {
    const atMs = Date.now();
    for (const { actor, role, what, detail } of this.#refusals.due(atMs)) {
      const counted = JSON.parse(detail) as Readonly<Record<string, unknown>>;
      const subject = refusing.find((service) => service === counted["service"]) ?? code;
      log.warn({ event: code, ...counted }, "a token was refused");
      try {
        await inTransaction(database, (transaction) =>
          writeAudit(transaction, { atMs, person: actor, role, what, subject, detail: counted }),
        );
      } catch (error) {
        log.warn({ event: code, err: error }, "the audit could not be told of it");
      }
    }
  }
}

const reasonsShownMax = 5;
