import { Alert, Button } from "antd";
import { ReloadOutlined } from "@ant-design/icons";
import { useLanguage } from "../texts/language.tsx";
import { retryNow, useAgeMs, useFeed, useRetryInMs } from "../view/nation-view.tsx";

/** While the line is lost: why, how old everything below is, and when it is tried again. */
export function ConnectionNotice() {
  const { texts, format } = useLanguage();
  const { line, failure } = useFeed();
  const ageMs = useAgeMs();
  if (line !== "lost" || failure === undefined) return null;
  return (
    <div className="notice">
      <Alert
        type="warning"
        showIcon
        title={texts.line.lost}
        description={
          <>
            <span>{texts.line.failures[failure]}</span>{" "}
            <span aria-live="off">{texts.line.lostLong(format.duration(ageMs))}</span> <NextAttempt />
          </>
        }
        action={<RetryButton />}
      />
    </div>
  );
}

/** Counts down to the next attempt, without being read aloud each second. */
export function NextAttempt() {
  const { texts, format } = useLanguage();
  const seconds = Math.ceil(useRetryInMs() / 1_000);
  return (
    <span aria-live="off">
      {seconds > 0 ? texts.line.retryIn(format.duration(seconds * 1_000)) : texts.line.retrying}
    </span>
  );
}

export function RetryButton() {
  const { texts } = useLanguage();
  return (
    <Button icon={<ReloadOutlined />} onClick={retryNow}>
      {texts.line.retry}
    </Button>
  );
}
