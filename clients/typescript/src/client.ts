import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Client, type Transport } from "@connectrpc/connect";

import { BranchkeeperError } from "./errors.js";
import { AccessService } from "./gen/branchkeeper/v1/access_service_pb.js";
import { AuditService } from "./gen/branchkeeper/v1/audit_service_pb.js";
import { BranchService } from "./gen/branchkeeper/v1/branch_service_pb.js";
import {
  ApplyAllRequestSchema,
  ApplyRequestSchema,
  MigrationService,
  type ApplyAllRequest,
  type ApplyResponse,
} from "./gen/branchkeeper/v1/migration_service_pb.js";
import { NotificationService } from "./gen/branchkeeper/v1/notification_service_pb.js";
import type { RunEvent } from "./gen/branchkeeper/v1/run_pb.js";
import { Health, HealthCheckResponse_ServingStatus as Serving } from "./gen/grpc/health/v1/health_pb.js";
import { Deadline, broken, throwIfAborted, waitAfter } from "./retry.js";
import { DEFAULTS } from "./semantics.js";

/** What a call can be given. */
export interface CallOptions {
  /** Milliseconds for the call, its retries included. Default: the client's deadline; streams have none. */
  timeoutMs?: number | undefined;
  /** Ends the call. */
  signal?: AbortSignal | undefined;
}

/** What `watchRun` can be given. */
export interface WatchOptions extends CallOptions {
  /** Events after this number. Default: 0, all. */
  afterSequence?: bigint;
  /** Statements too, if the run recorded them. Default: false. */
  includeStatements?: boolean;
}

/** A connection to the service; made by `connect`. */
export class BranchkeeperClient {
  /** The register of branches. */
  readonly branches: Client<typeof BranchService>;
  /** Migrating, and where branches stand. */
  readonly migrations: Client<typeof MigrationService>;
  /** Who did what. */
  readonly audit: Client<typeof AuditService>;
  /** Who may call. */
  readonly access: Client<typeof AccessService>;
  /** What people are told of. */
  readonly notifications: Client<typeof NotificationService>;
  private readonly health: Client<typeof Health>;

  /** Made by `connect`. */
  constructor(
    /** For clients of other services: their calls get the token, the deadline and the errors too. */
    readonly transport: Transport,
    private readonly end: () => void,
  ) {
    this.branches = createClient(BranchService, transport);
    this.migrations = createClient(MigrationService, transport);
    this.audit = createClient(AuditService, transport);
    this.access = createClient(AccessService, transport);
    this.notifications = createClient(NotificationService, transport);
    this.health = createClient(Health, transport);
  }

  /**
   * Migrates one branch, given by code, id or a whole request, and answers when that is done.
   *
   * A request without requestId gets one, so that it is safe to repeat, which happens by itself. A migration that fails
   * is not an error: look at `result.success`.
   */
  apply(request: string | MessageInitShape<typeof ApplyRequestSchema>, options?: CallOptions): Promise<ApplyResponse> {
    const full = create(ApplyRequestSchema, typeof request === "string" ? { branch: request } : request);
    return this.migrations.apply({ ...full, requestId: full.requestId || newRequestId() }, options);
  }

  /**
   * Migrates all active branches that the request selects, and gives the run's events, each once and in order.
   *
   * The run begins with the loop. A connection that breaks is made again, and the stream goes on after the last event
   * seen. It ends after runFinished. Leaving the loop does not stop the run: cancelRun does.
   */
  applyAll(request: MessageInitShape<typeof ApplyAllRequestSchema> = {}, options?: CallOptions): AsyncGenerator<RunEvent> {
    const full = create(ApplyAllRequestSchema, request);
    return this.follow({ ...full, requestId: full.requestId || newRequestId() }, "", 0n, full.includeStatements, options);
  }

  /** Gives the events of a run after a sequence number, to the run's end, over broken connections as `applyAll`. */
  watchRun(runId: string, options?: WatchOptions): AsyncGenerator<RunEvent> {
    const { afterSequence = 0n, includeStatements = false } = options ?? {};
    return this.follow(undefined, runId, afterSequence, includeStatements, options);
  }

  private async *follow(
    request: ApplyAllRequest | undefined,
    runId: string,
    after: bigint,
    includeStatements: boolean,
    options: CallOptions = {},
  ): AsyncGenerator<RunEvent> {
    const { signal } = options;
    const deadline = new Deadline(options.timeoutMs);
    let failures = 0;
    let failingSince = 0;
    let over = false;
    for (;;) {
      let error: BranchkeeperError | undefined;
      // Leaving a loop over answers does not end the call by itself.
      const end = new AbortController();
      try {
        const either = signal === undefined ? end.signal : AbortSignal.any([signal, end.signal]);
        const call = { signal: either, timeoutMs: deadline.left() };
        const answers =
          runId === "" && request !== undefined
            ? this.migrations.applyAll(request, call)
            : this.migrations.watchRun({ runId, afterSequence: after, includeStatements }, call);
        for await (const { event } of answers) {
          if (event === undefined) {
            continue;
          }
          runId = event.runId;
          if (event.sequence <= after) {
            continue;
          }
          after = event.sequence;
          failures = 0;
          // The loop goes on to the stream's own end, where the library takes back the deadline's timer.
          over = event.event.case === "runFinished";
          yield event;
        }
      } catch (failed) {
        error = BranchkeeperError.from(failed);
      } finally {
        end.abort();
      }
      if (over) {
        return;
      }
      throwIfAborted(signal);
      if (error === undefined && runId !== "") {
        const { run } = await this.migrations.getRun({ runId }, { signal, timeoutMs: deadline.left() });
        if (run?.endTime !== undefined && run.lastSequence <= after) {
          return;
        }
      }
      error ??= BranchkeeperError.from(new ConnectError("the stream ended before the run", Code.Unavailable));
      if (failures === 0) {
        failingSince = performance.now();
      }
      failures += 1;
      const gaveUp =
        runId === ""
          ? failures >= DEFAULTS.maxAttempts
          : performance.now() - failingSince > DEFAULTS.reattachForMs;
      if (gaveUp || !broken(error) || !(await deadline.pause(waitAfter(failures, error), signal))) {
        throw error;
      }
    }
  }

  /**
   * Waits until a service is there and ready to work, at most 60 s or the time given. Fails with DEADLINE_EXCEEDED,
   * saying what was seen last. An empty name means the service as a whole.
   */
  async waitReady(service: string = MigrationService.typeName, options: CallOptions = {}): Promise<void> {
    const { signal, timeoutMs = DEFAULTS.readyTimeoutMs } = options;
    const deadline = new Deadline(timeoutMs);
    for (let wait = 100; ; wait = Math.min(wait * 2, 1000)) {
      let seen: string;
      try {
        const limit = Math.min(DEFAULTS.readyCheckMs, deadline.left() ?? Infinity);
        const { status } = await this.health.check({ service }, { signal, timeoutMs: limit });
        if (status === Serving.SERVING) {
          return;
        }
        seen = Serving[status] ?? String(status);
      } catch (failed) {
        const error = BranchkeeperError.from(failed);
        if (![Code.NotFound, Code.Unavailable, Code.DeadlineExceeded].includes(error.code)) {
          throw error;
        }
        seen = `${Code[error.code]}: ${error.message}`;
      }
      if (!(await deadline.pause(wait, signal))) {
        const text = `'${service}' was not ready within ${timeoutMs} ms; the last answer was ${seen}`;
        throw BranchkeeperError.from(new ConnectError(text, Code.DeadlineExceeded));
      }
    }
  }

  /** Closes the connection. Calls that are under way fail. */
  close(): void {
    this.end();
  }
}

function newRequestId(): string {
  return crypto.randomUUID();
}
