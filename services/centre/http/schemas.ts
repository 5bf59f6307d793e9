import { actions, approvalKinds, directiveStates, scopes } from "#domain/vocabulary.ts";

/** JSON schemas of the HTTP interface; unknown fields are refused by name. */

const text = (description: string) => ({ type: "string", description }) as const;
const milliseconds = (description: string) => ({ type: "integer", minimum: 0, description }) as const;

export const idParameter = {
  type: "object",
  required: ["id"],
  properties: { id: text("Id of a directive: <region>-<ULID>") },
} as const;

export const issueBody = {
  type: "object",
  additionalProperties: false,
  required: ["action", "basis", "reason", "expiresAtMs"],
  properties: {
    number: text("A telephone number in any dialled form"),
    range: text("A-B, or a prefix such as +4420*"),
    trunk: text("Id of a trunk, or `international` together with a number"),
    action: { type: "string", enum: actions },
    basis: text("Code of the catalogue of legal bases"),
    reason: text("Code of the catalogue of reasons"),
    expiresAtMs: milliseconds("When it ends, in milliseconds since 1970"),
    scope: { type: "string", enum: scopes, description: "Left out: the widest that you may decide alone" },
    overrideRevision: { type: "integer", minimum: 0, description: "The national revision that you override" },
    evidence: { type: "array", items: text("Id of a piece of evidence"), maxItems: 100 },
    falseStopOf: text("The directive that stopped a legitimate call"),
    dryRun: { type: "boolean", description: "Checks everything, writes nothing" },
    idempotencyKey: text("The same key again answers with the first directive"),
  },
} as const;

export const revokeBody = {
  type: "object",
  additionalProperties: false,
  required: ["reason"],
  properties: { reason: text("Code of the catalogue of reasons") },
} as const;

export const extendBody = {
  type: "object",
  additionalProperties: false,
  required: ["expiresAtMs"],
  properties: { expiresAtMs: milliseconds("The new end, in milliseconds since 1970") },
} as const;

export const approvalBody = {
  type: "object",
  additionalProperties: false,
  required: ["approve"],
  properties: {
    approve: { type: "boolean", description: "false: refuse" },
    kind: { type: "string", enum: approvalKinds, description: "Left out: what is missing and you can give" },
    revision: { type: "integer", minimum: 0, description: "The revision that you have seen" },
  },
} as const;

export const listQuery = {
  type: "object",
  additionalProperties: false,
  properties: {
    state: { type: "string", enum: directiveStates },
    batch: text("Id of a batch"),
  },
} as const;

export const directive = {
  $id: "Directive",
  type: "object",
  properties: {
    id: text("<region>-<ULID>"),
    revision: { type: "integer" },
    nationalRevision: {
      type: "integer",
      description: "Sequence of the capital's latest decision; 0: none yet",
    },
    scope: { type: "string" },
    state: { type: "string" },
    stateReason: text("Why it is held or rejected, or empty"),
    missing: { type: "array", items: { type: "string" } },
    target: { type: "string" },
    action: { type: "string" },
    batch: { type: "string" },
    basis: { type: "string" },
    reason: { type: "string" },
    author: { type: "string" },
    acceptedAtMs: { type: "integer" },
    expiresAtMs: { type: "integer" },
    regionCutOff: { type: "boolean" },
    settled: { type: "boolean", description: "Nothing more is awaited" },
    receipts: {
      type: "array",
      items: {
        type: "object",
        properties: {
          region: { type: "string" },
          state: { type: "string", description: "enforced | waiting | cut-off" },
          enforcedAtMs: { type: "integer", description: "0: not yet" },
          milliseconds: { type: "integer", description: "After acceptance; -1: not yet" },
        },
      },
    },
    story: {
      type: "array",
      items: {
        type: "object",
        properties: {
          atMs: { type: "integer" },
          what: { type: "string" },
          person: { type: "string" },
          revision: { type: "integer" },
          detail: { type: "string" },
        },
      },
    },
  },
} as const;

export const problem = {
  $id: "Problem",
  type: "object",
  properties: {
    type: { type: "string" },
    title: { type: "string" },
    status: { type: "integer" },
    code: { type: "string" },
    field: { type: "string" },
    value: { type: "string" },
    message: { type: "string" },
    remedy: { type: "string" },
  },
} as const;
