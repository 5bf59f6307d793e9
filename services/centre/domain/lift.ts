import type { Approval, Opinion } from "#domain/opinion.ts";
import type { Event } from "#proto/qalqan/events/v1/events.ts";

/** Undefined: what a later release wrote. */
type Body = Event["body"];

/** A revision that two histories gave to different things: the one that waits gets another. */
export interface Lift {
  readonly kind: "directive" | "trunk" | "stop";
  /** Id of the directive, or trunk; empty for a stop, whose revisions the whole region shares. */
  readonly subject: string;
  readonly from: number;
  readonly to: number;
  /** The lane had withdrawn the directive: what waits does not bring it back. */
  readonly revokedBy: string | undefined;
}

export interface Lifted {
  /** The waiting events in the same order, rewritten where a revision was lifted. */
  readonly events: readonly Body[];
  readonly lifts: readonly Lift[];
}

/**
 * After a restore people may have written revision 3 of something of which the
 * lane holds another revision 3. Every reader would take one of the two for a
 * repetition and pass it over, so what waits comes after what the lane holds.
 * A withdrawal counts whichever of the two has it.
 *
 * @param waiting events that the lane lacks, in order
 * @param takenBack events that the outbox lacked, in the lane's order
 */
export function liftRevisions(waiting: readonly Body[], takenBack: readonly Body[]): Lifted {
  const inLane = new Map<string, { revision: number; revokedBy: string | undefined }>();
  for (const { kind, subject, revision, revokedBy } of takenBack.flatMap(revisionsOf)) {
    const known = inLane.get(`${kind} ${subject}`);
    inLane.set(`${kind} ${subject}`, {
      revision: Math.max(revision, known?.revision ?? 0),
      revokedBy: revokedBy ?? known?.revokedBy,
    });
  }
  const lifts = new Map<string, Lift>();
  for (const { kind, subject, revision: from } of waiting.flatMap(revisionsOf)) {
    const last = inLane.get(`${kind} ${subject}`);
    if (last === undefined || from > last.revision) continue;
    const lift = { kind, subject, from, to: last.revision + 1, revokedBy: last.revokedBy };
    lifts.set(`${kind} ${subject} ${from}`, lift);
    inLane.set(`${kind} ${subject}`, { ...last, revision: lift.to });
  }
  // Of each only what came first can collide; what follows it is lifted too, so that the order stays.
  return { events: waiting.map((body) => rewritten(body, lifts)), lifts: [...lifts.values()] };
}

interface Revision {
  readonly kind: Lift["kind"];
  readonly subject: string;
  readonly revision: number;
  readonly revokedBy: string | undefined;
}

function revisionsOf(body: Body): Revision[] {
  switch (body?.$case) {
    case "directives":
      return body.value.directives.map(({ id, revision, revoked, revokedBy }) => ({
        ...{ kind: "directive", subject: id, revision, revokedBy: revoked ? revokedBy : undefined },
      }));
    case "trunkSet":
      return [
        { kind: "trunk", subject: body.value.trunk, revision: body.value.revision, revokedBy: undefined },
      ];
    case "regionStop":
      return [{ kind: "stop", subject: "", revision: body.value.revision, revokedBy: undefined }];
    case "approval":
    case "batchRevocation":
    case "intelligence":
    case "intelligenceWithdrawn":
    case "receipt":
    case "counters":
    case "heartbeat":
    case "epochOpened":
    case "seal":
    case "alarms":
    case undefined:
      return [];
  }
}

function rewritten(body: Body, lifts: ReadonlyMap<string, Lift>): Body {
  switch (body?.$case) {
    case "directives":
      return {
        $case: "directives",
        value: { directives: body.value.directives.map((each) => liftedOpinion(each, lifts)) },
      };
    case "approval":
      return { $case: "approval", value: liftedApproval(body.value, lifts) };
    case "trunkSet": {
      const lift = lifts.get(`trunk ${body.value.trunk} ${body.value.revision}`);
      return lift === undefined ? body : { $case: "trunkSet", value: { ...body.value, revision: lift.to } };
    }
    case "regionStop": {
      const lift = lifts.get(`stop  ${body.value.revision}`);
      return lift === undefined ? body : { $case: "regionStop", value: { ...body.value, revision: lift.to } };
    }
    case "batchRevocation":
    case "intelligence":
    case "intelligenceWithdrawn":
    case "receipt":
    case "counters":
    case "heartbeat":
    case "epochOpened":
    case "seal":
    case "alarms":
    case undefined:
      return body;
  }
}

function liftedOpinion(opinion: Opinion, lifts: ReadonlyMap<string, Lift>): Opinion {
  const lift = lifts.get(`directive ${opinion.id} ${opinion.revision}`);
  if (lift === undefined) return opinion;
  const isRevokedInLane = !opinion.revoked && lift.revokedBy !== undefined;
  return {
    ...opinion,
    revision: lift.to,
    ...(isRevokedInLane ? { revoked: true, revokedBy: lift.revokedBy } : {}),
  };
}

/** An approval that waits speaks of the revision that waited with it. */
function liftedApproval(approval: Approval, lifts: ReadonlyMap<string, Lift>): Approval {
  const lift = lifts.get(`directive ${approval.directive} ${approval.revision}`);
  return lift === undefined ? approval : { ...approval, revision: lift.to };
}
