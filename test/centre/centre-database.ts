import { EmptyDatabase } from "#test/coordination/capital-processes.ts";
import { migrations } from "../../services/centre/store/migrations.ts";
import type { Schema } from "../../services/centre/store/schema.ts";

/** A centre's database in a PostgreSQL of its own, without a centre. */
export async function startCentreDatabase(): Promise<EmptyDatabase<Schema>> {
  return EmptyDatabase.open(migrations);
}
