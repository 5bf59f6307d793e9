import { readConfig } from "#platform/config.ts";
import { runService } from "#platform/lifecycle.ts";
import { createLog } from "#platform/log.ts";
import { replicationEnvironment } from "./config.ts";
import { startReplication } from "./server.ts";

const config = readConfig(replicationEnvironment);
const log = createLog("replication", config.QALQAN_REGION, config.LOG_LEVEL);
await runService(log, (lifecycle) => startReplication(config, log, lifecycle));
