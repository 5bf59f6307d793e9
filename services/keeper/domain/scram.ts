import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from "node:crypto";

/** What PostgreSQL 18 itself takes. */
const iterations = 4_096;
const saltBytes = 16;
const keyBytes = 32;

const secretForm = /^SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):(.+)$/;

/** Of other texts the two sides would have to agree on a normal form (SASLprep, RFC 4013). */
export const passwordForm = /^[\x21-\x7E]{8,200}$/;

/**
 * What PostgreSQL keeps in place of a password (RFC 5803). It is made here, so
 * that the password itself goes into no statement, log or view.
 */
export function scramSecret(password: string): string {
  return secretOf(password, randomBytes(saltBytes), iterations);
}

/** Whether a login over SCRAM with this password succeeds where this secret is kept. */
export function opens(password: string, secret: string): boolean {
  const [, count, salt] = secretForm.exec(secret) ?? [];
  if (count === undefined || salt === undefined) return false;
  const expected = Buffer.from(secretOf(password, Buffer.from(salt, "base64"), Number(count)));
  const kept = Buffer.from(secret);
  return expected.length === kept.length && timingSafeEqual(expected, kept);
}

/** RFC 5802, section 3. */
function secretOf(password: string, salt: Buffer, count: number): string {
  const salted = pbkdf2Sync(password, salt, count, keyBytes, "sha256");
  const keyed = (name: string) => createHmac("sha256", salted).update(name).digest();
  const storedKey = createHash("sha256").update(keyed("Client Key")).digest("base64");
  const serverKey = keyed("Server Key").toString("base64");
  return `SCRAM-SHA-256$${count}:${salt.toString("base64")}$${storedKey}:${serverKey}`;
}
