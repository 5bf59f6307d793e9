import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Problem } from "../problem.ts";
import { faultOfIdentity, faultOfRecipient, makeAgeIdentity } from "./age.ts";
import { writeDurably } from "./durable-file.ts";

/** Whose identity opens the keys of this process: the text itself, or a file of age with one or several. */
export const identityVariable = "QALQAN_KEYS_IDENTITY";
export const identityFileVariable = "QALQAN_KEYS_IDENTITY_FILE";

/** Who can open the keys of a deployment: everybody in `recipients.txt`, with his own identity. */
export class KeyAccess {
  readonly recipientsFile: string;
  readonly #environment: NodeJS.ProcessEnv;

  /** @param folder of the deployment */
  constructor(folder: string, environment: NodeJS.ProcessEnv = process.env) {
    this.recipientsFile = join(folder, "recipients.txt");
    this.#environment = environment;
  }

  /** @throws Problem `recipients-missing`, `recipients-invalid` */
  async recipients(): Promise<readonly string[]> {
    const recipients = existsSync(this.recipientsFile)
      ? entriesOf(readFileSync(this.recipientsFile, "utf8"))
      : [];
    if (recipients.length === 0) {
      throw new Problem({
        code: "recipients-missing",
        field: "recipients",
        value: this.recipientsFile,
        message: `${this.recipientsFile} names nobody who could open the keys`,
        remedy: "make an identity with `npx qalqan keys identity --out FILE`, which adds itself there",
      });
    }
    for (const { line, text } of recipients) {
      const fault = await faultOfRecipient(text);
      if (fault === undefined) continue;
      throw new Problem({
        code: "recipients-invalid",
        field: "recipients",
        value: text,
        message: `line ${line} of ${this.recipientsFile} is no recipient of age: ${fault}`,
        remedy: "write a recipient there (age1…), or put # before what is none",
      });
    }
    return recipients.map(({ text }) => text);
  }

  /** @throws Problem `identity-missing`, `identity-invalid` */
  async identities(): Promise<readonly string[]> {
    const { where, value, identities } = this.#given();
    for (const { text } of identities) {
      const fault = await faultOfIdentity(text);
      // The text itself is never said: it may be a secret with a slip in it.
      if (fault !== undefined) throw identityInvalid(where, value, fault);
    }
    if (identities.length === 0) throw identityInvalid(where, value, "it holds none");
    return identities.map(({ text }) => text);
  }

  /**
   * Makes an identity, writes it into a new file that its owner alone can
   * read, and adds its recipient to those of the deployment.
   *
   * @returns the recipient
   * @throws Problem `identity-exists`, `identity-unwritable`
   */
  async makeIdentity(file: string): Promise<string> {
    const { identity, recipient } = await makeAgeIdentity();
    const content = `# created: ${new Date().toISOString()}\n# public key: ${recipient}\n${identity}\n`;
    try {
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
      writeFileSync(file, content, { mode: 0o600, flag: "wx" });
    } catch (error) {
      throw unwritten(file, error);
    }
    const before = existsSync(this.recipientsFile) ? readFileSync(this.recipientsFile, "utf8") : "";
    const gap = before === "" || before.endsWith("\n") ? "" : "\n";
    mkdirSync(dirname(this.recipientsFile), { recursive: true, mode: 0o700 });
    writeDurably(this.recipientsFile, `${before}${gap}${recipient}\n`, 0o644);
    return recipient;
  }

  #given(): { where: string; value: string; identities: readonly Entry[] } {
    const text = this.#environment[identityVariable];
    if (text !== undefined && text !== "") {
      return { where: identityVariable, value: "(not shown)", identities: entriesOf(text) };
    }
    const file = this.#environment[identityFileVariable];
    if (file !== undefined && file !== "") {
      if (!existsSync(file)) throw identityInvalid(identityFileVariable, file, "there is no such file");
      return { where: identityFileVariable, value: file, identities: entriesOf(readFileSync(file, "utf8")) };
    }
    throw new Problem({
      code: "identity-missing",
      field: identityFileVariable,
      value: "",
      message: "the keys are encrypted, and no identity is given that would open them",
      remedy: `set ${identityFileVariable} to the file that \`npx qalqan keys identity\` has written, or ${identityVariable} to what is in it`,
    });
  }
}

interface Entry {
  /** From 1. */
  readonly line: number;
  readonly text: string;
}

/** The lines that say something: age's own convention for files of recipients and of identities. */
function entriesOf(content: string): readonly Entry[] {
  return content
    .split("\n")
    .map((text, index) => ({ line: index + 1, text: text.trim() }))
    .filter(({ text }) => text !== "" && !text.startsWith("#"));
}

function identityInvalid(where: string, value: string, why: string): Problem {
  return new Problem({
    code: "identity-invalid",
    field: where,
    value,
    message: `${where} gives no identity of age: ${why}`,
    remedy: "an identity is one line that begins with AGE-SECRET-KEY-1; `npx qalqan keys identity` makes one",
  });
}

function unwritten(file: string, error: unknown): Problem {
  const exists = error instanceof Error && "code" in error && error.code === "EEXIST";
  return new Problem({
    code: exists ? "identity-exists" : "identity-unwritable",
    field: "out",
    value: file,
    message: exists
      ? `${file} is there already`
      : `${file} cannot be written: ${error instanceof Error ? error.message : String(error)}`,
    remedy: exists
      ? "give another file: an identity that is lost opens nothing again"
      : "give a file that you may write",
  });
}
