import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { InvalidInput } from "#domain/invalid-input.ts";
import { parseNorthAmerican } from "#domain/number.ts";
import { CommandFailed } from "../failure.ts";

/**
 * Numbers of fraudsters (E.164) from a folder of JSON arrays of ten digits,
 * repeats included; nonsense is left out.
 *
 * @param folder absolute
 * @throws CommandFailed `no-campaign-numbers`
 */
export function readCampaignNumbers(folder: string): readonly string[] {
  const numbers: string[] = [];
  for (const file of filesOf(folder)) {
    for (const entry of JSON.parse(readFileSync(join(folder, file), "utf8")) as readonly string[]) {
      const number = northAmericanOrNothing(entry);
      if (number !== undefined) numbers.push(number);
    }
  }
  if (numbers.length > 0) return numbers;
  throw new CommandFailed({
    code: "no-campaign-numbers",
    field: "campaigns.numbersFolder",
    value: folder,
    message: "the folder has no JSON files with reported numbers",
    remedy: "name a folder with JSON arrays of ten-digit numbers in the population file",
  });
}

function filesOf(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((file) => file.endsWith(".json"))
      .sort();
  } catch {
    return [];
  }
}

function northAmericanOrNothing(entry: string): string | undefined {
  try {
    return parseNorthAmerican("number", entry);
  } catch (error) {
    if (error instanceof InvalidInput) return undefined;
    throw error;
  }
}
