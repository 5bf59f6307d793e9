import type { IntelligenceView } from "#proto/qalqan/centre/v1/centre.ts";
import { isoTime, shownTime } from "./output.ts";

/** A piece of intelligence, for --json. */
export function intelligenceDocument(view: IntelligenceView) {
  const piece = view.intelligence;
  return {
    id: piece?.id ?? "",
    revision: piece?.revision ?? 0,
    kind: piece?.kind ?? "",
    fields: readFields(piece?.fieldsJson ?? ""),
    audience: piece?.audience ?? "",
    tlp: piece?.tlp ?? "",
    confidence: piece?.confidence ?? 0,
    source: piece?.source ?? "",
    region: view.region,
    author: piece?.author ?? "",
    createdAt: isoTime(piece?.createdAtMs ?? 0),
    validUntil: isoTime(piece?.validUntilMs ?? 0),
    withdrawn: view.withdrawn,
    releasedWording: (piece?.releasedWording ?? "") === "" ? null : piece?.releasedWording,
    note: view.note === "" ? null : view.note,
  };
}

/** Another release may write fields that are no object here: they are shown as they came. */
function readFields(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
}

export function intelligenceLines(view: IntelligenceView): string[] {
  const document = intelligenceDocument(view);
  const lines = [
    `${document.id}  revision ${document.revision}  ${document.kind}${document.withdrawn ? "  WITHDRAWN" : ""}`,
    `  ${shownFields(document.fields)}`,
    `  for ${document.audience}, TLP:${document.tlp.toUpperCase()}, confidence ${document.confidence}, source ${document.source}`,
    `  by ${document.author} of ${document.region}, ${shownTime(view.intelligence?.createdAtMs ?? 0)}`,
    `  valid until ${shownTime(view.intelligence?.validUntilMs ?? 0)}`,
  ];
  if (document.releasedWording !== null) lines.push(`  wording: ${document.releasedWording}`);
  if (document.note !== null) lines.push(`  note (stays in ${document.region}): ${document.note}`);
  return lines;
}

export function shownFields(fields: unknown): string {
  if (typeof fields !== "object" || fields === null) return String(fields);
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(" ");
}
