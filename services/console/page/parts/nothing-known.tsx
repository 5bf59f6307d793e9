import { useLanguage } from "../texts/language.tsx";
import { useFeed } from "../view/nation-view.tsx";
import { NextAttempt, RetryButton } from "./connection-notice.tsx";

/** The capital has not answered since the page was opened. */
export function NothingKnown() {
  const { texts } = useLanguage();
  const { failure } = useFeed();
  if (failure === undefined) return null;
  return (
    <section className="card nothing" aria-labelledby="nothing" role="alert">
      <h2 id="nothing">{texts.line.nothing}</h2>
      <p>{texts.line.failures[failure]}</p>
      <p className="quiet">
        <NextAttempt />
      </p>
      <RetryButton />
    </section>
  );
}
