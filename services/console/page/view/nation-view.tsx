import { createContext, useContext, useEffect, useState, useSyncExternalStore, type ReactNode } from "react";
import { NationFeed, type Feed } from "../feed/nation-feed.ts";

const feed = new NationFeed(new URL("v1/events", document.baseURI));

/** What the page knows of the nation, renewed at each message of the capital. */
export function useFeed(): Feed {
  return useSyncExternalStore(feed.subscribe, feed.current);
}

/** Asks the capital again at once. */
export const retryNow = feed.retryNow;

const Now = createContext(0);

/** How long until the next attempt, while the line is lost; never below zero. */
export function useRetryInMs(): number {
  const { retryAtMs = 0 } = useFeed();
  return Math.max(0, retryAtMs - useNow(0));
}

/** Gives the page one clock: milliseconds of `performance.now`, once a second. */
export function NowProvider({ children }: { readonly children: ReactNode }) {
  const [now, setNow] = useState(() => performance.now());
  useEffect(() => {
    const ticker = setInterval(() => setNow(performance.now()), 1_000);
    return () => clearInterval(ticker);
  }, []);
  return <Now value={now}>{children}</Now>;
}

/** The page's clock, never before what was just received. */
function useNow(notBeforeMs: number): number {
  return Math.max(useContext(Now), notBeforeMs);
}

/** How long ago the capital said what the page shows; only who needs it is drawn anew each second. */
export function useAgeMs(): number {
  const { receivedAtMs } = useFeed();
  return useNow(receivedAtMs) - receivedAtMs;
}

/** Whether a media query holds now. */
export function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (onChange) => {
      const media = matchMedia(query);
      media.addEventListener("change", onChange);
      return () => media.removeEventListener("change", onChange);
    },
    () => matchMedia(query).matches,
  );
}
