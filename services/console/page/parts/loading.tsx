import { Skeleton } from "antd";
import { useLanguage } from "../texts/language.tsx";

/** The shape of the page until the capital has said something. */
export function Loading() {
  const { texts } = useLanguage();
  return (
    <div role="status" aria-busy="true">
      <span className="unseen">{texts.loading}</span>
      <div className="figures" aria-hidden="true">
        {[1, 2, 3, 4].map((place) => (
          <div key={place} className="figure">
            <Skeleton active title={{ width: "60%" }} paragraph={{ rows: 1, width: "80%" }} />
          </div>
        ))}
      </div>
      <div className="overview" aria-hidden="true">
        <div className="card map-card">
          <Skeleton active paragraph={{ rows: 12 }} />
        </div>
        <div className="card">
          <Skeleton active paragraph={{ rows: 8 }} />
        </div>
      </div>
    </div>
  );
}
