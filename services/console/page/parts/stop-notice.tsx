import { StopFilled } from "@ant-design/icons";
import { useLanguage } from "../texts/language.tsx";

/** The national stop: nothing is stopped anywhere, and nobody may overlook it. */
export function StopNotice() {
  const { texts } = useLanguage();
  return (
    <div className="stop" role="alert">
      <StopFilled aria-hidden="true" />
      <p>
        <strong>{texts.stop.title}</strong>
        <span>{texts.stop.body}</span>
      </p>
    </div>
  );
}
