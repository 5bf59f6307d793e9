import { CloseOutlined } from "@ant-design/icons";
import { Button } from "antd";
import type { Region } from "../feed/nation.ts";
import { useLanguage } from "../texts/language.tsx";
import { useAgeMs } from "../view/nation-view.tsx";
import { Digest } from "./digest.tsx";
import { Heard } from "./heard.tsx";
import { MovingCount } from "./moving-count.tsx";
import { StateMark } from "./state-mark.tsx";

interface Given {
  readonly region: Region;
  /** When the capital said this, by its own clock. */
  readonly atMs: number;
  readonly choose: (region: undefined) => void;
}

/** Everything about one region. */
export function RegionDetails({ region, atMs, choose }: Given) {
  const { texts, format, language } = useLanguage();
  const nowMs = atMs + useAgeMs();
  const { names, iso, state, sinceMs, sequence, digest, stalenessMs, epoch } = region;
  return (
    <section className="card region" aria-labelledby="region" data-testid="region-details">
      <div className="region-head">
        <h2 id="region">
          {names[language]} <span className="quiet iso">{iso}</span>
        </h2>
        <Button
          type="text"
          size="small"
          icon={<CloseOutlined />}
          aria-label={texts.regions.close}
          title={texts.regions.close}
          onClick={() => choose(undefined)}
        />
      </div>
      <p className="region-state">
        <StateMark state={state} /> <span>{texts.since(format.moment(sinceMs, nowMs))}</span>
        <span className="quiet">({format.duration(nowMs - sinceMs)})</span>
      </p>
      <p className="quiet">{texts.states[state].long}</p>
      <dl className="region-figures">
        {(["calls", "intercepted", "forged"] as const).map((kind) => (
          <div key={kind}>
            <dt>{texts.regions[kind]}</dt>
            <dd>
              <MovingCount key={region.region} value={region[kind]} />
            </dd>
          </div>
        ))}
      </dl>
      <dl className="pairs">
        <div>
          <dt>{texts.sync.sequence}</dt>
          <dd>{format.count(sequence)}</dd>
        </div>
        <div>
          <dt>{texts.sync.digest}</dt>
          <dd>
            <Digest digest={digest} />
          </dd>
        </div>
        {epoch > 1 && (
          <div>
            <dt>{texts.regions.epoch}</dt>
            <dd>{format.count(epoch)}</dd>
          </div>
        )}
        <div>
          <dt>{texts.regions.heard}</dt>
          <dd>
            <Heard stalenessMs={stalenessMs} />
          </dd>
        </div>
      </dl>
    </section>
  );
}
