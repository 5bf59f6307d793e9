import type { RegionState } from "../feed/nation.ts";
import { useLanguage } from "../texts/language.tsx";

/** The sign of a state around the origin, 18 units wide: another shape for each, not only another colour. */
export function StateShape({ state }: { readonly state: RegionState }) {
  return (
    <g className="state-shape" data-state={state}>
      {state === "diverged" ? (
        <path className="body" d="M0-10 10 0 0 10-10 0Z" />
      ) : (
        <circle className="body" r={8.5} />
      )}
      <path className="sign" d={signs[state]} />
    </g>
  );
}

const signs: Record<RegionState, string> = {
  "in-sync": "M-3.8.2-1 3 4-2.8",
  behind: "M0-4.6V.4L3.2 2.6",
  "cut-off": "M-3.2-3.2 3.2 3.2M3.2-3.2-3.2 3.2",
  diverged: "M0-4.4V.6M0 3.7V4.1",
};

/** The sign of a state with its name. */
export function StateMark({ state }: { readonly state: RegionState }) {
  const { texts } = useLanguage();
  return (
    <span className="state" data-state={state}>
      <svg viewBox="-11 -11 22 22" aria-hidden="true">
        <StateShape state={state} />
      </svg>
      {texts.states[state].name}
    </span>
  );
}
