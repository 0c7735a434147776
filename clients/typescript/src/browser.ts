/** The client for browsers: gRPC-Web over fetch. */
import { createGrpcWebTransport } from "@connectrpc/connect-web";

import { BranchkeeperClient } from "./client.js";
import { DEFAULTS } from "./semantics.js";
import { checkToken, readTarget } from "./target.js";
import { withRules, type TokenSource } from "./transport.js";

export * from "./common.js";

/** How to speak with the service. */
export interface Options {
  /** What proves who the client is, or a function that gives it before every call. Default: nothing. */
  token?: string | TokenSource;
  /** Send the token to other machines without TLS. Default: refuse. */
  allowInsecureToken?: boolean;
  /** Milliseconds for a call that is given no timeout, retries included. Default: 60,000. */
  deadlineMs?: number;
  /** The same for calls that answer when a run is over. Default: 1,800,000. */
  runDeadlineMs?: number;
}

/**
 * A client of the service at `target`, such as `https://keeper.example`. The page's origin has to be among the service's
 * `server.allowed_origins`. It does not wait for the service; `waitReady` does.
 */
export function connect(target: string, options: Options = {}): BranchkeeperClient {
  const at = readTarget(target);
  const { token } = options;
  checkToken(at, token !== undefined, options.allowInsecureToken ?? false);
  const transport = createGrpcWebTransport({ baseUrl: at.url });
  const rules = {
    deadlineMs: options.deadlineMs ?? DEFAULTS.deadlineMs,
    runDeadlineMs: options.runDeadlineMs ?? DEFAULTS.runDeadlineMs,
    token: typeof token === "function" ? token : () => token,
  };
  return new BranchkeeperClient(withRules(transport, rules), () => undefined);
}
