import { useState } from "react";
import { useLanguage } from "../texts/language.tsx";

/** A count that shows for a moment that it has moved. */
export function MovingCount({ value }: { readonly value: number }) {
  const { format } = useLanguage();
  const [shown, setShown] = useState({ value, hasMoved: false });
  if (shown.value !== value) setShown({ value, hasMoved: true });
  return (
    <span key={value} className="count" data-moved={shown.hasMoved}>
      {format.count(value)}
    </span>
  );
}
