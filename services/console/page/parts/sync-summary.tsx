import { regionStates, type Nation } from "../feed/nation.ts";
import { useLanguage } from "../texts/language.tsx";
import { StateMark } from "./state-mark.tsx";
import { Digest } from "./digest.tsx";

interface Given {
  readonly nation: Nation;
  readonly choose: (region: string) => void;
}

/** Whether all regions have the capital's table, and by name those that have not. */
export function SyncSummary({ nation, choose }: Given) {
  const { texts, format, language } = useLanguage();
  const { regions, sequence, digest } = nation;
  const inSync = regions.filter(({ state }) => state === "in-sync").length;
  const others = regions
    .filter(({ state }) => state !== "in-sync")
    .toSorted((one, other) => regionStates.indexOf(other.state) - regionStates.indexOf(one.state));
  return (
    <section className="card sync" aria-labelledby="sync">
      <h2 id="sync">{texts.sync.heading}</h2>
      {regions.length === 0 ? (
        <p className="quiet">{texts.regions.empty}</p>
      ) : (
        <p className="sync-count" data-all={others.length === 0}>
          {texts.sync.count(inSync, regions.length)}
        </p>
      )}
      {regions.length > 0 && others.length === 0 && <p>{texts.sync.all}</p>}
      {others.length > 0 && (
        <>
          <h3>{texts.sync.attention}</h3>
          <ul className="attention">
            {others.map(({ region, names, state }) => (
              <li key={region}>
                <button type="button" className="plain" onClick={() => choose(region)}>
                  {names[language]}
                </button>
                <StateMark state={state} />
              </li>
            ))}
          </ul>
        </>
      )}
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
      </dl>
      {regions.length > 0 && <p className="quiet hint">{texts.sync.choose}</p>}
    </section>
  );
}
