export { Code } from "@connectrpc/connect";
export { BranchkeeperClient, type CallOptions, type WatchOptions } from "./client.js";
export { BranchkeeperError, type Violation } from "./errors.js";
export { Reason, VERSION } from "./semantics.js";
export * from "./gen/branchkeeper/v1/messages.js";
