import { NoEvidence, parseEvidence } from "#domain/evidence-document.ts";
import type { SealKeys } from "#domain/seal.ts";
import { limits, tellStory } from "./story.ts";
import { verifyDocument, type Finding } from "./verify-document.ts";

export interface VerifiedEvidence {
  /** Id of the directive; empty where it is no evidence. */
  readonly directive: string;
  readonly findings: readonly Finding[];
  /** What no file of this kind can prove. */
  readonly limits: readonly string[];
}

/** Verifies the text of a file by public keys alone. */
export function verifyEvidence(text: string, keys: SealKeys): VerifiedEvidence {
  try {
    const document = parseEvidence(text);
    const { findings, items } = verifyDocument(document, keys);
    return { directive: document.directive, findings: [...findings, ...tellStory(document, items)], limits };
  } catch (error) {
    if (!(error instanceof NoEvidence)) throw error;
    const finding = {
      verdict: "false",
      site: "",
      text: `the file is no evidence: ${error.message}`,
    } as const;
    return { directive: "", findings: [finding], limits };
  }
}
