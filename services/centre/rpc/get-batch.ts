import type { Person } from "#domain/vocabulary.ts";
import type { BatchView, GetBatchRequest } from "#proto/qalqan/centre/v1/centre.ts";
import type { Centre } from "../centre.ts";
import { batchViewOf } from "../store/batches.ts";
import { notFound } from "./not-found.ts";
import { readers, requireHere } from "./people.ts";

/** @throws Refusal `not-found` */
export async function getBatch(centre: Centre, request: GetBatchRequest, person: Person): Promise<BatchView> {
  requireHere(person, centre.region, readers);
  const view = await batchViewOf(centre.database, request.batch, centre.moment());
  if (view === undefined) throw notFound("batch", request.batch);
  return view;
}
