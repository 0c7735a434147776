import { Code, ConnectError } from "@connectrpc/connect";

import { BranchkeeperError } from "./errors.js";
import { DEFAULTS, NAMED, READ, Reason } from "./semantics.js";

/** Whether doing it twice is the same as doing it once. */
export function repeatable(method: string, request: { requestId?: unknown }): boolean {
  return READ.has(method) || (NAMED.has(method) && Boolean(request.requestId));
}

/** Whether the status says that trying again is safe and may help. */
export function again(error: BranchkeeperError, canRepeat: boolean): boolean {
  const refused = error.reason === Reason.OVERLOADED || error.reason === Reason.RATE_LIMITED;
  if (error.code === Code.ResourceExhausted && refused) {
    return true;
  }
  const mayAsk = error.code === Code.ResourceExhausted || error.code === Code.Aborted;
  return canRepeat && (error.code === Code.Unavailable || (mayAsk && error.retryDelayMs !== undefined));
}

/** Whether a stream that ended like this is to be opened again. */
export function broken(error: BranchkeeperError): boolean {
  const codes = [Code.Unavailable, Code.Internal, Code.Unknown, Code.Canceled, Code.Aborted];
  return (error.reason === "" && codes.includes(error.code)) || again(error, true);
}

/** Milliseconds to wait after so many failures in a row. */
export function waitAfter(failures: number, error?: BranchkeeperError): number {
  const longest = Math.min(DEFAULTS.backoffMaxMs, DEFAULTS.backoffInitialMs * 2 ** (failures - 1));
  return (error?.retryDelayMs ?? 0) + Math.random() * longest;
}

/** A moment that is not to be passed, in milliseconds of `performance.now()`. */
export class Deadline {
  private readonly end: number;

  /** Without a time it never comes. */
  constructor(timeoutMs: number | undefined) {
    this.end = timeoutMs === undefined ? Infinity : performance.now() + timeoutMs;
  }

  /** Milliseconds until then; undefined when it never comes. */
  left(): number | undefined {
    return this.end === Infinity ? undefined : Math.max(1, Math.ceil(this.end - performance.now()));
  }

  /** Waits. False, at once, when the deadline would pass; throws when `signal` aborts. */
  async pause(waitMs: number, signal: AbortSignal | undefined): Promise<boolean> {
    if (performance.now() + waitMs >= this.end) {
      return false;
    }
    await new Promise<void>((done) => {
      const stop = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", stop);
        done();
      };
      const timer = setTimeout(stop, waitMs);
      signal?.addEventListener("abort", stop);
      if (signal?.aborted) {
        stop();
      }
    });
    throwIfAborted(signal);
    return true;
  }
}

/** Throws CANCELLED when the caller does not want it any more. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) {
    throw BranchkeeperError.from(new ConnectError("the caller cancelled", Code.Canceled, undefined, undefined, signal.reason));
  }
}
