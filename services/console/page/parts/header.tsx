import { useAgeMs, useFeed } from "../view/nation-view.tsx";
import { useLanguage } from "../texts/language.tsx";
import { languages, type Language } from "../texts/languages.ts";
import { Shield } from "./shield.tsx";

export function Header() {
  const { texts } = useLanguage();
  return (
    <header className="header">
      <div className="header-inner">
        <Shield />
        <div className="header-name">
          <h1>{texts.title}</h1>
          <p>{texts.subtitle}</p>
        </div>
        <LineMark />
        <LanguageSwitch />
      </div>
    </header>
  );
}

/** Live, or how old the page's knowledge is. */
function LineMark() {
  const { texts, format } = useLanguage();
  const { line, nation } = useFeed();
  const ageMs = useAgeMs();
  if (nation === undefined) return null;
  return (
    <p className="line-mark" data-line={line}>
      <span className="line-dot" aria-hidden="true" />
      <span>{line === "live" ? texts.line.live : texts.line.lost}</span>
      <time dateTime={new Date(nation.atMs).toISOString()}>{format.clock(nation.atMs)}</time>
      {line === "lost" && <span>({texts.ago(format.duration(ageMs))})</span>}
    </p>
  );
}

function LanguageSwitch() {
  const { texts, language, choose } = useLanguage();
  return (
    <fieldset className="languages">
      <legend className="unseen">{texts.language}</legend>
      {(Object.entries(languages) as [Language, string][]).map(([code, name]) => (
        <label key={code} lang={code} data-chosen={code === language}>
          <input
            type="radio"
            name="language"
            className="unseen"
            checked={code === language}
            onChange={() => choose(code)}
          />
          {name}
        </label>
      ))}
    </fieldset>
  );
}
