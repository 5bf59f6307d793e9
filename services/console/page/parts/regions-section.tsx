import type { ReactNode } from "react";
import { useLanguage } from "../texts/language.tsx";

/** The regions one by one: the equal of the map for whoever does not see it. */
export function RegionsSection({ children }: { readonly children: ReactNode }) {
  const { texts } = useLanguage();
  return (
    <section className="card regions" id="regions" tabIndex={-1} aria-labelledby="regions-heading">
      <div className="section-head">
        <h2 id="regions-heading">{texts.regions.heading}</h2>
        <p className="quiet">{texts.regions.hourNote}</p>
      </div>
      {children}
    </section>
  );
}
