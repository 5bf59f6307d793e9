import { useState } from "react";
import type { Feed } from "../feed/nation-feed.ts";
import { useLanguage } from "../texts/language.tsx";
import { useFeed } from "../view/nation-view.tsx";

/** Says aloud what a reader of the screen would otherwise not notice: a line that came back, a region that changed. */
export function Announcer() {
  const { language, texts } = useLanguage();
  const feed = useFeed();
  const [heard, setHeard] = useState<{ feed: Feed; news: string }>({ feed, news: "" });
  if (heard.feed !== feed) {
    const changed = feed.nation?.regions.filter((region) => {
      const before = heard.feed.nation?.regions.find((other) => other.region === region.region);
      return before !== undefined && before.state !== region.state;
    });
    const news = [
      ...(heard.feed.line === "lost" && feed.line === "live" ? [texts.line.back] : []),
      ...(changed ?? []).map(({ names, state }) => `${names[language]}: ${texts.states[state].name}.`),
    ].join(" ");
    setHeard({ feed, news: news === "" ? heard.news : news });
  }
  return (
    <div role="status" className="unseen">
      {heard.news}
    </div>
  );
}
