import type { Nation } from "../feed/nation.ts";
import { useLanguage } from "../texts/language.tsx";
import { Digest } from "./digest.tsx";
import { Heard } from "./heard.tsx";
import { MovingCount } from "./moving-count.tsx";
import { StateMark } from "./state-mark.tsx";
import { unattributedOf } from "./unattributed.ts";

interface Given {
  readonly nation: Nation;
}

const kinds = ["calls", "intercepted", "forged"] as const;

/** The regions one below the other, for narrow screens: all that the table has. */
export function RegionsList({ nation }: Given) {
  const { texts, format, language } = useLanguage();
  const unattributed = unattributedOf(nation);
  if (nation.regions.length === 0) {
    return <p className="quiet">{texts.regions.empty}</p>;
  }
  return (
    <ul className="regions-list">
      {nation.regions.map((region) => (
        <li key={region.region}>
          <h3>{region.names[language]}</h3>
          <p className="state-since">
            <StateMark state={region.state} />{" "}
            <span className="quiet">{texts.since(format.moment(region.sinceMs, nation.atMs))}</span>
          </p>
          <Counts counts={region} />
          <p className="quiet fine">
            {texts.sync.sequence} {format.count(region.sequence)} · <Digest digest={region.digest} /> ·{" "}
            <Heard stalenessMs={region.stalenessMs} />
            {region.epoch > 1 && ` · ${texts.regions.inEpoch(format.count(region.epoch))}`}
          </p>
        </li>
      ))}
      {unattributed.calls > 0 && (
        <li>
          <h3>{texts.regions.unattributed}</h3>
          <p className="quiet">{texts.regions.unattributedNote}</p>
          <Counts counts={unattributed} />
        </li>
      )}
    </ul>
  );
}

function Counts({ counts }: { readonly counts: Record<(typeof kinds)[number], number> }) {
  const { texts } = useLanguage();
  return (
    <dl className="region-figures">
      {kinds.map((kind) => (
        <div key={kind}>
          <dt>{texts.regions[kind]}</dt>
          <dd>
            <MovingCount value={counts[kind]} />
          </dd>
        </div>
      ))}
    </dl>
  );
}
