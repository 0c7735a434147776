import type { DescMethod } from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";

import { BranchkeeperError } from "./errors.js";
import { Deadline, again, repeatable, waitAfter } from "./retry.js";
import { DEFAULTS, NAMED } from "./semantics.js";

/** The token that every call carries, if any. */
export type TokenSource = () => string | undefined | Promise<string | undefined>;

/** What every call gets. */
export interface Defaults {
  deadlineMs: number;
  runDeadlineMs: number;
  token: TokenSource;
}

/** Adds the token and the deadline to every call, does it again where that is safe, and translates errors. */
export function withRules(inner: Transport, defaults: Defaults): Transport {
  async function headers(given: HeadersInit | undefined): Promise<Headers> {
    const all = new Headers(given);
    const token = await defaults.token();
    if (token !== undefined) {
      all.set("authorization", `Bearer ${token}`);
    }
    return all;
  }
  return {
    async unary(method, signal, timeoutMs, header, input, contextValues) {
      const name = path(method);
      const deadline = new Deadline(timeoutMs ?? (NAMED.has(name) ? defaults.runDeadlineMs : defaults.deadlineMs));
      const canRepeat = repeatable(name, input as { requestId?: unknown });
      for (let failures = 1; ; failures++) {
        const all = await headers(header);
        try {
          return await inner.unary(method, signal, deadline.left(), all, input, contextValues);
        } catch (failed) {
          const error = BranchkeeperError.from(failed);
          const last = failures >= DEFAULTS.maxAttempts || !again(error, canRepeat);
          if (last || !(await deadline.pause(waitAfter(failures, error), signal))) {
            throw error;
          }
        }
      }
    },
    async stream(method, signal, timeoutMs, header, input, contextValues) {
      const all = await headers(header);
      try {
        const answer = await inner.stream(method, signal, timeoutMs, all, input, contextValues);
        return { ...answer, message: translated(answer.message) };
      } catch (failed) {
        throw BranchkeeperError.from(failed);
      }
    },
  };
}

async function* translated<T>(messages: AsyncIterable<T>): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (failed) {
    throw BranchkeeperError.from(failed);
  }
}

function path(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}
