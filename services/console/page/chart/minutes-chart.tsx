import { useEffect, useRef } from "react";
import type { Minute } from "../feed/nation.ts";
import { useLanguage } from "../texts/language.tsx";
import { useMedia } from "../view/nation-view.tsx";
import { drawMinutes, type MinutesDrawing } from "./draw-minutes.ts";

interface Given {
  readonly minutes: readonly Minute[];
}

/** Calls and interceptions minute by minute, each on its own scale: they are different things. */
export default function MinutesChart({ minutes }: Given) {
  const { texts } = useLanguage();
  const isDark = useMedia("(prefers-color-scheme: dark)");
  const isEmpty = minutes.every(({ calls }) => calls === 0);
  return (
    <section className="card chart-card" aria-labelledby="chart">
      <h2 id="chart">{texts.chart.heading}</h2>
      {isEmpty ? (
        <p className="quiet">{texts.chart.empty}</p>
      ) : (
        <>
          <LastMinute minutes={minutes} />
          <Drawing key={isDark ? "dark" : "light"} minutes={minutes} />
        </>
      )}
    </section>
  );
}

/** The chart's news in words. The minute that runs now has only begun: the last whole one counts. */
function LastMinute({ minutes }: Given) {
  const { texts, format } = useLanguage();
  const whole = minutes.at(-2);
  if (whole === undefined) return null;
  const time = format.moment(whole.minute, whole.minute);
  return (
    <p className="quiet fine">
      {texts.chart.summary(time, format.count(whole.calls), format.count(whole.intercepted))}
    </p>
  );
}

function Drawing({ minutes }: Given) {
  const { texts, format } = useLanguage();
  const place = useRef<HTMLDivElement>(null);
  const drawing = useRef<MinutesDrawing>(undefined);

  useEffect(() => {
    if (place.current === null) return;
    const made = drawMinutes(place.current);
    drawing.current = made;
    return () => made.end();
  }, []);

  useEffect(() => {
    const words = { calls: texts.chart.calls, intercepted: texts.chart.intercepted };
    drawing.current?.show(minutes, words, format);
  }, [minutes, texts, format]);

  return <div ref={place} className="chart" aria-hidden="true" />;
}
