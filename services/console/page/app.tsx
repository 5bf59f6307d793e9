import { ConfigProvider, theme } from "antd";
import enUS from "antd/locale/en_US";
import kkKZ from "antd/locale/kk_KZ";
import ruRU from "antd/locale/ru_RU";
import { useState } from "react";
import { Announcer } from "./parts/announcer.tsx";
import { ConnectionNotice } from "./parts/connection-notice.tsx";
import { Header } from "./parts/header.tsx";
import { Loading } from "./parts/loading.tsx";
import { NationPage } from "./parts/nation-page.tsx";
import { NothingKnown } from "./parts/nothing-known.tsx";
import { StopNotice } from "./parts/stop-notice.tsx";
import { useLanguage } from "./texts/language.tsx";
import type { Language } from "./texts/languages.ts";
import { useFeed, useMedia } from "./view/nation-view.tsx";

const antdLocales: Record<Language, typeof enUS> = { kk: kkKZ, ru: ruRU, en: enUS };

const light = { colorPrimary: "#00667d", colorText: "#10242e", colorTextDescription: "#4d626d" };
const dark = { colorPrimary: "#4cc3dc", colorText: "#e8f0f3", colorBgContainer: "#12242d" };

/** The nation's page: what is known of the nation, or why nothing is. */
export function App() {
  const { language, texts } = useLanguage();
  const isDark = useMedia("(prefers-color-scheme: dark)");
  const isCalm = useMedia("(prefers-reduced-motion: reduce)");
  const tokens = { ...(isDark ? dark : light), motion: !isCalm, borderRadius: 6, fontFamily: "inherit" };
  return (
    <ConfigProvider
      locale={antdLocales[language]}
      theme={{
        algorithm: isDark ? theme.darkAlgorithm : theme.defaultAlgorithm,
        token: tokens,
        components: { Table: { headerBg: "transparent", cellPaddingBlockSM: 7, cellPaddingInlineSM: 10 } },
      }}
    >
      <a className="skip" href="#regions">
        {texts.skip}
      </a>
      <Header />
      <Announcer />
      <Content />
    </ConfigProvider>
  );
}

function Content() {
  const feed = useFeed();
  const { texts } = useLanguage();
  const [chosen, choose] = useState<string>();
  if (feed.nation === undefined) {
    return <main className="page">{feed.line === "lost" ? <NothingKnown /> : <Loading />}</main>;
  }
  return (
    <main className="page" data-line={feed.line}>
      <ConnectionNotice />
      {feed.nation.stopped && <StopNotice />}
      <NationPage nation={feed.nation} chosen={chosen} choose={choose} />
      <footer className="footer">{texts.footer}</footer>
    </main>
  );
}
