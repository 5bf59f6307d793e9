import type { Nation } from "../feed/nation.ts";
import { useLanguage } from "../texts/language.tsx";
import { MovingCount } from "./moving-count.tsx";

const kinds = ["calls", "intercepted", "forged", "warned"] as const;

/** The nation's four figures of the last hour, each for itself. */
export function Figures({ lastHour }: { readonly lastHour: Nation["lastHour"] }) {
  const { texts } = useLanguage();
  return (
    <section aria-labelledby="figures">
      <div className="section-head">
        <h2 id="figures">{texts.figures.heading}</h2>
        <p className="quiet">{texts.figures.separate}</p>
      </div>
      <dl className="figures">
        {kinds.map((kind) => (
          <div key={kind} className="figure" data-kind={kind}>
            <dt>{texts.figures[kind]}</dt>
            <dd>
              <MovingCount value={lastHour[kind]} />
              <small>{texts.figures[`${kind}Note`]}</small>
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
