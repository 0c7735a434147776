/** The client for Node: gRPC over HTTP/2. */
import { readFileSync, statSync } from "node:fs";

import { Http2SessionManager, createGrpcTransport } from "@connectrpc/connect-node";

import { BranchkeeperClient } from "./client.js";
import { DEFAULTS } from "./semantics.js";
import { checkToken, readTarget } from "./target.js";
import { withRules, type TokenSource } from "./transport.js";

export * from "./common.js";

/** How to speak with the service. */
export interface Options {
  /** PEM file with the authorities to trust. Default: Node's. */
  caFile?: string;
  /** PEM file with the client's own certificate. Default: none. */
  certFile?: string;
  /** PEM file with its key. */
  keyFile?: string;
  /** What proves who the client is. Default: nothing. */
  token?: string;
  /** The same in a file, which is read again when it has changed. */
  tokenFile?: string;
  /** Send the token to other machines without TLS. Default: refuse. */
  allowInsecureToken?: boolean;
  /** Milliseconds for a call that is given no timeout, retries included. Default: 60,000. */
  deadlineMs?: number;
  /** The same for calls that answer when a run is over. Default: 1,800,000. */
  runDeadlineMs?: number;
  /** Milliseconds of silence after which a connection in use is asked for a sign of life; 0 for never. Default: 30,000. */
  keepaliveMs?: number;
}

/**
 * A client of the service at `target`, such as `keeper:50051` or `https://keeper.example`. It does not wait for the
 * service; `waitReady` does. Throws when the options do not go together or a file cannot be read.
 */
export function connect(target: string, options: Options = {}): BranchkeeperClient {
  const at = readTarget(target);
  const { caFile, certFile, keyFile, keepaliveMs = DEFAULTS.keepaliveIntervalMs } = options;
  if (!at.tls && (caFile ?? certFile ?? keyFile) !== undefined) {
    throw new TypeError("certificates need TLS; begin the target with https://");
  }
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw new TypeError("certFile and keyFile belong together; give both or neither");
  }
  if (options.token !== undefined && options.tokenFile !== undefined) {
    throw new TypeError("token and tokenFile exclude each other; give one of them");
  }
  checkToken(at, (options.token ?? options.tokenFile) !== undefined, options.allowInsecureToken ?? false);
  const pings = keepaliveMs > 0 ? { pingIntervalMs: keepaliveMs, pingTimeoutMs: DEFAULTS.keepaliveTimeoutMs } : {};
  const tls = {
    ...(caFile === undefined ? {} : { ca: readFileSync(caFile) }),
    ...(certFile === undefined ? {} : { cert: readFileSync(certFile) }),
    ...(keyFile === undefined ? {} : { key: readFileSync(keyFile) }),
  };
  const sessionManager = new Http2SessionManager(at.url, pings, tls);
  const transport = createGrpcTransport({ baseUrl: at.url, readMaxBytes: DEFAULTS.maxMessageBytes, sessionManager });
  const rules = {
    deadlineMs: options.deadlineMs ?? DEFAULTS.deadlineMs,
    runDeadlineMs: options.runDeadlineMs ?? DEFAULTS.runDeadlineMs,
    token: options.tokenFile === undefined ? () => options.token?.trim() : tokenFrom(options.tokenFile),
  };
  return new BranchkeeperClient(withRules(transport, rules), () => sessionManager.abort());
}

/** The token in a file, read again when its time or size has changed. */
export function tokenFrom(file: string): TokenSource {
  let token: string | undefined;
  let seen = "";
  return () => {
    const { mtimeNs, size } = statSync(file, { bigint: true });
    const now = `${mtimeNs} ${size}`;
    if (now !== seen) {
      token = readFileSync(file, "utf8").trim();
      seen = now;
    }
    return token;
  };
}
