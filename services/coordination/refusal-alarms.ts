import type { Alarms } from "#platform/alarms.ts";
import { pause } from "#platform/lifecycle.ts";
import type { Refusals, Refused } from "#domain/refusals.ts";

const lookEveryMs = 1_000;

/** What an alarm calls a refusal, and what it is about; undefined: it needs nobody to look. */
function alarmOf({ what, region, detail }: Refused): { code: string; subject: string } | undefined {
  if (what === "refused-at-hub") return { code: what, subject: region === "" ? "hub" : region };
  if (what === "refused-access") return { code: what, subject: String(detail["service"] ?? "") };
  if (what === "refused") return { code: "refused-events", subject: String(detail["stream"] ?? region) };
  return undefined;
}

/** Shows what was refused in the last hour as alarms, one for each region or stream, until the signal. */
export async function showRefusals(refusals: Refusals, alarms: Alarms, signal: AbortSignal): Promise<void> {
  let before = new Map<string, { code: string; subject: string }>();
  while (await pause(lookEveryMs, signal)) {
    const now = new Map<string, { code: string; subject: string; reasons: Set<string> }>();
    for (const refused of refusals.recent()) {
      const alarm = alarmOf(refused);
      if (alarm === undefined) continue;
      const key = `${alarm.code} ${alarm.subject}`;
      const known = now.get(key) ?? { ...alarm, reasons: new Set<string>() };
      now.set(key, known);
      known.reasons.add(String(refused.detail["reason"] ?? ""));
    }
    for (const [key, { code, subject }] of before) if (!now.has(key)) alarms.clear(code, subject);
    for (const { code, subject, reasons } of now.values()) {
      const why = [...reasons].toSorted().join(", ");
      alarms.raise(code, subject, `Refused within the last hour: ${why}. The audit has who and how often.`);
    }
    before = now;
  }
}
