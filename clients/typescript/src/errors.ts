import { Code, ConnectError } from "@connectrpc/connect";

import {
  BadRequestSchema,
  ErrorInfoSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from "./gen/google/rpc/error_details_pb.js";

const DOMAIN = "branchkeeper";

/** One field of a request that cannot be accepted. */
export interface Violation {
  /** Its name; empty when the violation is of no single field. */
  readonly field: string;
  /** What is wrong with it. */
  readonly description: string;
}

/** A call that failed. What came of a migration is not an error but a result whose `success` is false. */
export class BranchkeeperError extends Error {
  override readonly name = "BranchkeeperError";

  private constructor(
    message: string,
    cause: ConnectError,
    /** The gRPC status. */
    readonly code: Code,
    /** One of `Reason`; empty when the failure is not from the service but from the network or the library. */
    readonly reason: string,
    /** What programs can read besides, by name. */
    readonly metadata: Readonly<Record<string, string>>,
    /** The branch that it is about; may be empty. */
    readonly branch: string,
    /** When to try again, in milliseconds; undefined when the service does not say. */
    readonly retryDelayMs: number | undefined,
    /** The fields of the request that cannot be accepted. */
    readonly violations: readonly Violation[],
  ) {
    super(message, { cause });
  }

  /** What to do; may be empty. */
  get hint(): string {
    return this.metadata["hint"] ?? "";
  }

  /** Reads the details that the service put into its status. */
  static from(error: unknown): BranchkeeperError {
    if (error instanceof BranchkeeperError) {
      return error;
    }
    const status = ConnectError.from(error);
    const info = status.findDetails(ErrorInfoSchema).find((each) => each.domain === DOMAIN);
    const retry = status.findDetails(RetryInfoSchema)[0]?.retryDelay;
    const resource = status.findDetails(ResourceInfoSchema).find((each) => each.resourceType === "branch");
    const violations = status.findDetails(BadRequestSchema).flatMap((each) => each.fieldViolations);
    // The library's word for a connection that was lost.
    const lost = status.code === Code.Aborted && info === undefined && retry === undefined;
    return new BranchkeeperError(
      status.rawMessage,
      status,
      lost ? Code.Unavailable : status.code,
      info?.reason ?? "",
      info?.metadata ?? {},
      info?.metadata["branch"] || resource?.resourceName || "",
      retry === undefined ? undefined : Number(retry.seconds) * 1000 + retry.nanos / 1e6,
      violations.map(({ field, description }) => ({ field, description })),
    );
  }
}
