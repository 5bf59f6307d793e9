import { evidenceText, type EvidenceContent } from "#domain/evidence-document.ts";
import { Refusal } from "#domain/refusal.ts";
import type { SealingKey } from "#domain/seal.ts";
import { capital as capitalSite } from "#domain/vocabulary.ts";
import type { CallContext } from "#platform/grpc-server.ts";
import { requirePerson } from "#platform/identity.ts";
import type { NatsConnection } from "#platform/nats.ts";
import type { EvidencePart, ExportEvidenceRequest } from "#proto/qalqan/coordination/v1/coordination.ts";
import type { Capital } from "../capital.ts";
import { findEvidence } from "../evidence-messages.ts";
import { proveMessages } from "../evidence-proofs.ts";
import { readDirective } from "../store/views.ts";

/** A file goes out in parts of so many bytes. */
const partBytes = 256 * 1024;

export interface EvidenceParts {
  readonly connection: NatsConnection;
  /** The capital's, which the file is signed with. */
  readonly key: SealingKey;
  readonly release: string;
}

/** Everything about a directive with its proofs, as one file; that it was asked for is in the audit first. */
export const exportEvidence = (capital: Capital, { connection, key, release }: EvidenceParts) =>
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
    const sources = { database: capital.database, connection };
    const proofs = await proveMessages(sources, await findEvidence(sources, known.directive, names));
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
