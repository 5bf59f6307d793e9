import { useLanguage } from "../texts/language.tsx";
import { useAgeMs } from "../view/nation-view.tsx";

interface Given {
  /** As of the capital's message; null: never heard. */
  readonly stalenessMs: number | null;
}

/** When a region was last heard: "4 s ago", or "never". */
export function Heard({ stalenessMs }: Given) {
  const { texts, format } = useLanguage();
  const ageMs = useAgeMs();
  if (stalenessMs === null) return <>{texts.never}</>;
  // Whole seconds: a heartbeat comes every 5 s, and parts of one mean nothing.
  return <span className="heard">{texts.ago(format.duration(Math.max(1_000, stalenessMs + ageMs)))}</span>;
}
