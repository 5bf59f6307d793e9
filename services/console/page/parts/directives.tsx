import type { Directive, Region } from "../feed/nation.ts";
import { useLanguage } from "../texts/language.tsx";
import { nameOf } from "../view/region-names.ts";
import { targetText } from "../view/target-text.ts";

interface Given {
  readonly directives: readonly Directive[];
  readonly regions: readonly Region[];
  readonly nowMs: number;
}

/** The latest directives, and in how many regions each has taken effect. */
export function Directives({ directives, regions, nowMs }: Given) {
  const { texts } = useLanguage();
  return (
    <section className="card directives" aria-labelledby="directives">
      <h2 id="directives">{texts.directives.heading}</h2>
      {directives.length === 0 ? (
        <p className="quiet">{texts.directives.empty}</p>
      ) : (
        <ol className="directives-list">
          {directives.map((directive) => (
            <DirectiveItem key={directive.id} directive={directive} regions={regions} nowMs={nowMs} />
          ))}
        </ol>
      )}
    </section>
  );
}

interface ItemGiven {
  readonly directive: Directive;
  readonly regions: readonly Region[];
  readonly nowMs: number;
}

function DirectiveItem({ directive, regions, nowMs }: ItemGiven) {
  const { texts, format, language } = useLanguage();
  const { id, target, action, state, region, acceptedAtMs } = directive;
  return (
    <li title={id}>
      <p className="directive-head">
        <span className="action" data-action={action}>
          {worded(texts.directives.actions, action)}
        </span>
        <span className="target">{targetText(target, texts)}</span>
      </p>
      <p className="quiet fine">
        <time dateTime={new Date(acceptedAtMs).toISOString()}>{format.moment(acceptedAtMs, nowMs)}</time>
        {" · "}
        {texts.directives.given(nameOf(region, regions, language))}
        {" · "}
        {worded(texts.directives.states, state)}
      </p>
      <Reach directive={directive} />
    </li>
  );
}

/** States in which a directive is on its way into, or out of, the regions' tables. */
const travelling = ["national", "regional", "revoked"];

function Reach({ directive }: { readonly directive: Directive }) {
  const { texts, format } = useLanguage();
  const { state, enforcedIn, of, slowestMs } = directive;
  if (!travelling.includes(state) || of === 0) return null;
  const isEverywhere = enforcedIn >= of;
  const words = state === "revoked" ? texts.directives.withdrawn : texts.directives.enforced;
  return (
    <p className="reach" data-everywhere={isEverywhere}>
      <span className="reach-bar" aria-hidden="true">
        {Array.from({ length: of }, (_, index) => (
          <i key={index} data-reached={index < enforcedIn} />
        ))}
      </span>
      <span>{words(enforcedIn, of)}</span>
      {isEverywhere && slowestMs !== null && of > 1 && (
        <span className="quiet">{texts.directives.slowest(format.duration(slowestMs))}</span>
      )}
    </p>
  );
}

/** The word of the page's language; the capital's own where it is newer than the page. */
function worded(words: Readonly<Record<string, string>>, word: string): string {
  return words[word] ?? word;
}
