import { lazy, Suspense } from "react";
import type { Nation } from "../feed/nation.ts";
import { NationMap } from "../map/nation-map.tsx";
import { useMedia } from "../view/nation-view.tsx";
import { Alarms } from "./alarms.tsx";
import { Directives } from "./directives.tsx";
import { Figures } from "./figures.tsx";
import { RegionDetails } from "./region-details.tsx";
import { RegionsList } from "./regions-list.tsx";
import { RegionsSection } from "./regions-section.tsx";
import { RegionsTable } from "./regions-table.tsx";
import { SyncSummary } from "./sync-summary.tsx";

// The chart's library is as large as all the rest: the figures do not wait for it.
const MinutesChart = lazy(() => import("../chart/minutes-chart.tsx"));

interface Given {
  readonly nation: Nation;
  /** Slug of the region that is looked at. */
  readonly chosen: string | undefined;
  readonly choose: (region: string | undefined) => void;
}

/** The whole nation, from its figures down to each region. */
export function NationPage({ nation, chosen, choose }: Given) {
  const isWide = useMedia("(min-width: 1040px)");
  const region = nation.regions.find((each) => each.region === chosen);
  const { atMs } = nation;
  return (
    <>
      <Figures lastHour={nation.lastHour} />
      <Alarms alarms={nation.alarms} regions={nation.regions} nowMs={atMs} choose={choose} />
      <div className="overview">
        <NationMap regions={nation.regions} nowMs={atMs} chosen={chosen} choose={choose} />
        <div className="side">
          {region === undefined ? (
            <SyncSummary nation={nation} choose={choose} />
          ) : (
            <RegionDetails region={region} atMs={atMs} choose={choose} />
          )}
          <Suspense fallback={<section className="card chart-card" />}>
            <MinutesChart minutes={nation.minutes} />
          </Suspense>
        </div>
      </div>
      <Directives directives={nation.directives} regions={nation.regions} nowMs={atMs} />
      <RegionsSection>
        {isWide ? (
          <RegionsTable nation={nation} chosen={chosen} choose={choose} />
        ) : (
          <RegionsList nation={nation} />
        )}
      </RegionsSection>
    </>
  );
}
