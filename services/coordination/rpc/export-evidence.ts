import { evidenceText, type EvidenceContent } from "#domain/evidence-document.ts";
import { Refusal } from "#domain/refusal.ts";
import type { SealingKey } from "#domain/seal.ts";
import { capital as capitalSite } from "#domain/vocabulary.ts";
import type { ObjectReader } from "#platform/archive/object-store.ts";
import { ObjectStorageFailed } from "#platform/archive/s3-store.ts";
import { SegmentBroken } from "#platform/archive/segment.ts";
import type { CallContext } from "#platform/grpc-server.ts";
import { requirePerson } from "#platform/identity.ts";
import type { NatsConnection } from "#platform/nats.ts";
import type { EvidencePart, ExportEvidenceRequest } from "#proto/qalqan/coordination/v1/coordination.ts";
import type { Capital } from "../capital.ts";
import { findEvidence } from "../evidence-messages.ts";
import { proveMessages, type Proofs } from "../evidence-proofs.ts";
import { EvidenceStreams } from "../evidence-streams.ts";
import { readDirective } from "../store/views.ts";

/** A file goes out in parts of so many bytes. */
const partBytes = 256 * 1024;

export interface EvidenceParts {
  readonly connection: NatsConnection;
  /** Where sealed segments are; undefined: nowhere. */
  readonly archive: ObjectReader | undefined;
  /** The capital's, which the file is signed with. */
  readonly key: SealingKey;
  readonly release: string;
}

/** Everything about a directive with its proofs, as one file; that it was asked for is in the audit first. */
export const exportEvidence = (capital: Capital, { connection, archive, key, release }: EvidenceParts) =>
  async function* (
    { directive: id }: ExportEvidenceRequest,
    context: CallContext,
  ): AsyncGenerator<EvidencePart> {
    const person = await context.person();
    requirePerson(person, capitalSite, ["central-prosecutor"]);
    const known = id.includes("\0") ? undefined : await readDirective(capital.database, id);
    if (known === undefined) throw unknownDirective(id);
    await capital.carryOut(person, ({ changes }) => {
      const { id: actor, role, region } = person;
      changes.audit.push({
        actor,
        role,
        region,
        what: "export-evidence",
        detail: JSON.stringify({ directive: id }),
      });
    });
    const { regions } = await capital.moment();
    const names = regions.map(({ region }) => region);
    const streams = new EvidenceStreams({ database: capital.database, connection, archive });
    const proofs = await collect(async () =>
      proveMessages(streams, await findEvidence(streams, known.directive, names)),
    );
    const content: EvidenceContent = {
      directive: id,
      regions: names,
      exportedAtMs: Date.now(),
      exportedBy: person.id,
      release,
      items: [...proofs.items],
      seals: [...proofs.seals],
      chains: [...proofs.chains],
    };
    const bytes = Buffer.from(evidenceText(content, key));
    for (let start = 0; start < bytes.length; start += partBytes)
      yield { content: bytes.subarray(start, start + partBytes) };
  };

async function collect(proofs: () => Promise<Proofs>): Promise<Proofs> {
  try {
    return await proofs();
  } catch (error) {
    if (error instanceof SegmentBroken) throw brokenArchive(error);
    if (error instanceof ObjectStorageFailed) throw archiveAway(error);
    throw error;
  }
}

function brokenArchive({ message }: SegmentBroken): Refusal {
  return new Refusal({
    code: "failed-precondition",
    field: "archive",
    value: "",
    message: `the archive is not what was written: ${message}`,
    remedy:
      "put the object back as it was, from a copy of the archive; its name has the SHA-256 of its bytes",
  });
}

function archiveAway({ message }: ObjectStorageFailed): Refusal {
  return new Refusal({
    code: "unavailable",
    field: "archive",
    value: "",
    message: `what is needed is in the archive, which cannot be read now: ${message}`,
    remedy: "try again when the object storage answers",
  });
}

function unknownDirective(id: string): Refusal {
  return new Refusal({
    code: "not-found",
    field: "directive",
    value: id,
    message: "the capital knows no directive of this id",
    remedy:
      "take the id from `qalqan directive list`; what a region that is cut off decided has no evidence here yet",
  });
}
