import { useRef, useState, type KeyboardEvent } from "react";
import { outline } from "virtual:outline";
import { regionStates, type Region } from "../feed/nation.ts";
import { StateMark, StateShape } from "../parts/state-mark.tsx";
import { useLanguage } from "../texts/language.tsx";
import { useMedia } from "../view/nation-view.tsx";
import { shortNames } from "../view/region-names.ts";
import { placeLabels } from "./label-places.ts";
import { arrows, nearestTowards } from "./nearest.ts";
import { plane, project } from "./projection.ts";

interface Given {
  readonly regions: readonly Region[];
  /** By the capital's clock. */
  readonly nowMs: number;
  readonly chosen: string | undefined;
  readonly choose: (region: string) => void;
}

/** Units of the plane; a letter is as wide as half its height, a little more to be safe. */
const labelHeight = 17;
const letterWidth = 9.2;

/**
 * The country with its regional centres. One stop of the Tab key: the arrow
 * keys lead from centre to centre, and the centre in focus is the chosen one.
 */
export function NationMap({ regions, nowMs, chosen, choose }: Given) {
  const { texts, language } = useLanguage();
  const hasRoomForLabels = useMedia("(min-width: 760px)");
  const marks = useRef(new Map<string, SVGGElement>());
  const places = regions.map(({ lat, lon }) => project(lat, lon));
  const names = shortNames(regions, language, texts);
  const labels = hasRoomForLabels
    ? placeLabels(
        places,
        names.map((name) => name.length * letterWidth),
        labelHeight,
        plane,
      )
    : [];
  const tabStop = regions.some(({ region }) => region === chosen) ? chosen : regions[0]?.region;

  const move = (event: KeyboardEvent, index: number) => {
    const direction = arrows[event.key];
    const from = places[index];
    if (direction === undefined || from === undefined) return;
    event.preventDefault();
    const next = regions[nearestTowards(places, from, direction) ?? index];
    if (next !== undefined) marks.current.get(next.region)?.focus();
  };

  return (
    <section className="card map-card" aria-labelledby="map">
      <div className="section-head">
        <h2 id="map">{texts.map.heading}</h2>
        <p className="quiet keyboard-only">{texts.map.help}</p>
      </div>
      <svg
        className="map"
        viewBox={`0 0 ${plane.width} ${plane.height}`}
        role="group"
        aria-label={texts.map.label}
      >
        <path className="country" d={outline} />
        {regions.map((region, index) => {
          const { x = 0, y = 0 } = places[index] ?? {};
          return (
            <MapPoint
              key={region.region}
              region={region}
              nowMs={nowMs}
              x={x}
              y={y}
              isChosen={region.region === chosen}
              isTabStop={region.region === tabStop}
              keep={(mark) => {
                if (mark === null) marks.current.delete(region.region);
                else marks.current.set(region.region, mark);
              }}
              onFocus={() => choose(region.region)}
              onKeyDown={(event) => move(event, index)}
            />
          );
        })}
        <g className="labels" aria-hidden="true">
          {labels.map((label, index) => {
            const region = regions[index];
            if (label === undefined || region === undefined) return null;
            return (
              <text
                key={region.region}
                x={label.x}
                y={label.y}
                textAnchor={label.anchor}
                data-state={region.state}
                onClick={() => choose(region.region)}
              >
                {names[index]}
              </text>
            );
          })}
        </g>
      </svg>
      <Legend regions={regions} />
    </section>
  );
}

interface PointGiven {
  readonly region: Region;
  readonly nowMs: number;
  readonly x: number;
  readonly y: number;
  readonly isChosen: boolean;
  readonly isTabStop: boolean;
  readonly keep: (mark: SVGGElement | null) => void;
  readonly onFocus: () => void;
  readonly onKeyDown: (event: KeyboardEvent) => void;
}

function MapPoint({ region, nowMs, x, y, isChosen, isTabStop, keep, onFocus, onKeyDown }: PointGiven) {
  const { texts, format, language } = useLanguage();
  const { names, state, sinceMs, intercepted } = region;
  const name = [
    `${names[language]}: ${texts.states[state].name}`,
    texts.since(format.moment(sinceMs, nowMs)),
    ...(["calls", "intercepted", "forged"] as const).map(
      (kind) => `${texts.regions[kind]}: ${format.count(region[kind])}`,
    ),
  ].join(", ");
  return (
    <g
      ref={keep}
      className="point"
      transform={`translate(${x.toFixed(1)} ${y.toFixed(1)})`}
      role="button"
      tabIndex={isTabStop ? 0 : -1}
      aria-pressed={isChosen}
      aria-label={name}
      onFocus={onFocus}
      onClick={onFocus}
      onKeyDown={onKeyDown}
    >
      <title>{name}</title>
      <circle className="reachable" r={22} />
      <Ripple intercepted={intercepted} />
      <circle className="ring" r={13} />
      <StateShape state={state} />
    </g>
  );
}

/** A wave from a centre that has just intercepted a call. */
function Ripple({ intercepted }: { readonly intercepted: number }) {
  const [seen, setSeen] = useState({ intercepted, hasRisen: false });
  if (seen.intercepted !== intercepted) {
    setSeen({ intercepted, hasRisen: intercepted > seen.intercepted });
  }
  return seen.hasRisen ? <circle key={intercepted} className="ripple" r={10} /> : null;
}

function Legend({ regions }: { readonly regions: readonly Region[] }) {
  const { format } = useLanguage();
  return (
    <ul className="legend">
      {regionStates.map((state) => (
        <li key={state}>
          <StateMark state={state} />
          <b>{format.count(regions.filter((region) => region.state === state).length)}</b>
        </li>
      ))}
    </ul>
  );
}
