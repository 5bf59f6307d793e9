import type { Session } from "./session.ts";

/** The regions that a command without --region is about: all that run; elsewhere the one server. */
export function regionsAsked(session: Session, region: string | undefined): readonly string[] {
  if (region !== undefined) return [region];
  return session.place.regions.length === 0 ? [""] : session.place.regions;
}
