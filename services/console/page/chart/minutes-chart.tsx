import { useEffect, useRef } from "react";
import type { Minute } from "../feed/nation.ts";
import { useLanguage } from "../texts/language.tsx";
import { useMedia } from "../view/nation-view.tsx";
import { drawMinutes, type MinutesDrawing } from "./draw-minutes.ts";

/** Calls and interceptions minute by minute, each on its own scale: they are different things. */
export default function MinutesChart({ minutes }: { readonly minutes: readonly Minute[] }) {
  const { texts, format } = useLanguage();
  const isDark = useMedia("(prefers-color-scheme: dark)");
  const isCalm = useMedia("(prefers-reduced-motion: reduce)");
  const place = useRef<HTMLDivElement>(null);
  const drawing = useRef<MinutesDrawing>(undefined);
  const isEmpty = minutes.every(({ calls }) => calls === 0);
  // The minute that runs now has only begun: the last whole one is the one to speak of.
  const whole = minutes.at(-2);

  useEffect(() => {
    if (isEmpty || place.current === null) return;
    const made = drawMinutes(place.current, isCalm);
    drawing.current = made;
    return () => {
      drawing.current = undefined;
      made.end();
    };
  }, [isEmpty, isDark, isCalm]);

  useEffect(() => {
    const words = { calls: texts.chart.calls, intercepted: texts.chart.intercepted };
    drawing.current?.show(minutes, words, format);
  }, [minutes, texts, format, isEmpty, isDark, isCalm]);

  return (
    <section className="card chart-card" aria-labelledby="chart">
      <h2 id="chart">{texts.chart.heading}</h2>
      {isEmpty ? (
        <p className="quiet">{texts.chart.empty}</p>
      ) : (
        <>
          <p className="quiet fine">
            {whole !== undefined &&
              texts.chart.summary(
                format.moment(whole.minute, whole.minute),
                format.count(whole.calls),
                format.count(whole.intercepted),
              )}
          </p>
          <div ref={place} className="chart" aria-hidden="true" />
        </>
      )}
    </section>
  );
}
