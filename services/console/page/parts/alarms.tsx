import { WarningFilled } from "@ant-design/icons";
import type { Alarm, Region } from "../feed/nation.ts";
import { useLanguage } from "../texts/language.tsx";
import { nameOf } from "../view/region-names.ts";

interface Given {
  readonly alarms: readonly Alarm[];
  readonly regions: readonly Region[];
  readonly nowMs: number;
  readonly choose: (region: string) => void;
}

/** What somebody should look at, in the capital and in the regions; nothing where there is nothing. */
export function Alarms({ alarms, regions, nowMs, choose }: Given) {
  const { texts } = useLanguage();
  if (alarms.length === 0) return null;
  return (
    <section className="card alarms" aria-labelledby="alarms">
      <h2 id="alarms">
        {texts.alarms.heading} <span className="quiet">{texts.alarms.count(alarms.length)}</span>
      </h2>
      <ul className="alarms-list">
        {alarms.map((alarm) => (
          <AlarmItem
            key={`${alarm.region} ${alarm.code} ${alarm.subject}`}
            alarm={alarm}
            regions={regions}
            nowMs={nowMs}
            choose={choose}
          />
        ))}
      </ul>
    </section>
  );
}

interface ItemGiven {
  readonly alarm: Alarm;
  readonly regions: readonly Region[];
  readonly nowMs: number;
  readonly choose: (region: string) => void;
}

function AlarmItem({ alarm, regions, nowMs, choose }: ItemGiven) {
  const { texts, format, language } = useLanguage();
  const { region, code, subject, detail, sinceMs } = alarm;
  const words = wordsOf(texts.alarms.codes, code);
  const command = commandIn(detail);
  return (
    <li data-code={code}>
      <WarningFilled aria-hidden="true" />
      <div>
        <h3>
          {words?.name ?? code}
          {": "}
          {region === "" ? (
            texts.alarms.capital
          ) : (
            <button type="button" className="plain" onClick={() => choose(region)}>
              {nameOf(region, regions, language)}
            </button>
          )}
          {subject !== "" && subject !== region && (
            <span className="subject">{subjectText(subject, regions, language)}</span>
          )}
        </h3>
        {/* What the service says itself where this page has no words of its own for it. */}
        <p>{words?.todo ?? detail}</p>
        {command !== undefined && (
          <p>
            <code>{command}</code>
          </p>
        )}
        <p className="quiet fine">
          <time dateTime={new Date(sinceMs).toISOString()}>{texts.since(format.moment(sinceMs, nowMs))}</time>
          {nowMs > sinceMs && ` (${format.duration(nowMs - sinceMs)})`}
        </p>
      </div>
    </li>
  );
}

/** A region's name where the alarm is about a region. */
function subjectText(
  subject: string,
  regions: readonly Region[],
  language: Parameters<typeof nameOf>[2],
): string {
  return regions.some(({ region }) => region === subject) ? nameOf(subject, regions, language) : subject;
}

/**
 * The command that ends an alarm. What a region says is not trusted further
 * than that: of its words only a command of ours that mends is shown as one.
 */
function commandIn(detail: string): string | undefined {
  return /npx qalqan (?:restore|rebuild|region (?:rotate|revoke)|status)\b[ a-z0-9-]*/
    .exec(detail)?.[0]
    .trim();
}

function wordsOf<Words>(words: Readonly<Record<string, Words>>, code: string): Words | undefined {
  return Object.hasOwn(words, code) ? words[code] : undefined;
}
