import { createLocalJWKSet, errors, jwtVerify, type JSONWebKeySet } from "jose";
import { Refusal } from "#domain/refusal.ts";
import { capital, parseRole, type Person, type Role } from "#domain/vocabulary.ts";

/** Who may be asked by a token: the `aud` of every token of the platform. */
export const tokenAudience = "qalqan";

/** Turns a bearer token into the person it names; the one place that verifies. */
export type TokenVerifier = (authorization: string | undefined) => Promise<Person>;

/**
 * @param identityKeys JWKS with the public keys of the identity (RFC 7517), JSON text
 */
export function createTokenVerifier(identityKeys: string): TokenVerifier {
  const keys = createLocalJWKSet(JSON.parse(identityKeys) as JSONWebKeySet);
  return async (authorization) => {
    const token = /^Bearer (\S+)$/.exec(authorization ?? "")?.[1];
    if (token === undefined) {
      throw new Refusal({
        code: "unauthenticated",
        field: "authorization",
        value: "",
        message: "a bearer token is missing",
        remedy:
          "send the metadata `authorization: Bearer <token>`; the command line gets one by `qalqan login`",
      });
    }
    try {
      const { payload } = await jwtVerify(token, keys, {
        audience: tokenAudience,
        algorithms: ["EdDSA"],
        // A token without an end would be honoured for ever.
        requiredClaims: ["exp"],
      });
      const { sub, role, region, carrier } = payload;
      if (typeof sub !== "string" || sub === "" || typeof role !== "string" || typeof region !== "string") {
        throw new errors.JWTClaimValidationFailed("sub, role and region are needed", payload);
      }
      const person: Person = { id: sub, role: parseRole("role", role), region };
      return typeof carrier === "string" ? { ...person, carrier } : person;
    } catch (error) {
      throw new Refusal({
        code: "unauthenticated",
        field: "authorization",
        value: "",
        message: `the token is not valid: ${error instanceof Error ? error.message : String(error)}`,
        remedy: "log in again",
      });
    }
  };
}

/**
 * The person may act here: one of the roles, and of this region.
 *
 * @throws Refusal `forbidden`, naming what was presented and what is needed
 */
export function requirePerson(person: Person, region: string, roles: readonly Role[]): void {
  if (person.region !== region) {
    throw new Refusal({
      code: "forbidden",
      field: "authorization.region",
      value: person.region,
      message: `a token of ${person.region} does nothing in ${region}`,
      remedy: `log in as a person of ${region}`,
    });
  }
  if (!roles.includes(person.role)) {
    throw new Refusal({
      code: "forbidden",
      field: "authorization.role",
      value: person.role,
      message: `the role ${person.role} may not do this`,
      remedy: `one of these roles may: ${roles.join(", ")}`,
    });
  }
}

/** A token that is not honoured, and why. */
export interface RefusedToken {
  readonly actor: string;
  /** Of whoever it names; empty: it proves nothing. */
  readonly region: string;
  readonly reason: string;
}

/** Whether tokens of this region, or of a central prosecutor, may mean something here at all. */
export const isKnownHere = (person: Person, here: string): boolean =>
  person.region === here || isCentral(person);

export const isCentral = ({ role, region }: Person): boolean =>
  role === "central-prosecutor" && region === capital;

/**
 * The same verifier of a region, but of tokens that prove nothing, and of those
 * of other regions, is told.
 */
export function watchedVerifier(
  verify: TokenVerifier,
  here: string,
  refused: (token: RefusedToken) => void,
): TokenVerifier {
  return async (authorization) => {
    const person = await verify(authorization).catch((error: unknown) => {
      refused({ actor: "unknown person", region: "", reason: "token" });
      throw error;
    });
    const { id, role, region } = person;
    if (!isKnownHere(person, here)) refused({ actor: id, region, reason: `not for ${role} of ${region}` });
    return person;
  };
}
