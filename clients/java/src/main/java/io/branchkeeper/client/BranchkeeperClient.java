package io.branchkeeper.client;

import io.branchkeeper.v1.AccessServiceGrpc;
import io.branchkeeper.v1.ApplyAllRequest;
import io.branchkeeper.v1.ApplyRequest;
import io.branchkeeper.v1.ApplyResponse;
import io.branchkeeper.v1.AuditServiceGrpc;
import io.branchkeeper.v1.BranchServiceGrpc;
import io.branchkeeper.v1.MigrationServiceGrpc;
import io.branchkeeper.v1.NotificationServiceGrpc;
import io.branchkeeper.v1.WatchRunRequest;
import io.grpc.Channel;
import io.grpc.ChannelCredentials;
import io.grpc.ClientInterceptors;
import io.grpc.Context;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import java.io.IOException;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * A connection to the service; may be used by many threads at once.
 *
 * <p>The stubs are the generated ones, and throw gRPC's own {@link StatusRuntimeException}; {@link #call} adds safe
 * retries and throws {@link BranchkeeperException}, as every other method here does.
 */
public final class BranchkeeperClient implements AutoCloseable {
  /** The name of the service to wait for before migrating. */
  public static final String MIGRATION_SERVICE = MigrationServiceGrpc.SERVICE_NAME;

  private final ManagedChannel bare;
  private final Channel channel;
  private final Options options;
  private final ScheduledExecutorService timer =
      Executors.newSingleThreadScheduledExecutor(
          work -> {
            Thread thread = new Thread(work, "branchkeeper-deadlines");
            thread.setDaemon(true);
            return thread;
          });

  private BranchkeeperClient(ManagedChannel bare, Options options) {
    this.bare = bare;
    this.options = options;
    this.channel = ClientInterceptors.intercept(bare, new Rules(options));
  }

  /** As {@link #connect(String, Options)} with the default options. */
  public static BranchkeeperClient connect(String target) throws IOException {
    return connect(target, new Options());
  }

  /**
   * A client of the service at {@code target}, such as {@code keeper:50051} or {@code https://keeper.example}. It does
   * not wait for the service; {@link #waitReady()} does.
   *
   * @throws IllegalArgumentException the options do not go together
   * @throws IOException a certificate or key cannot be read
   */
  public static BranchkeeperClient connect(String target, Options options) throws IOException {
    Target at = Target.of(target);
    options.check(at);
    ChannelCredentials credentials = InsecureChannelCredentials.create();
    if (at.tls) {
      TlsChannelCredentials.Builder tls = TlsChannelCredentials.newBuilder();
      if (options.caFile != null) {
        tls.trustManager(options.caFile);
      }
      if (options.certFile != null) {
        tls.keyManager(options.certFile, options.keyFile);
      }
      credentials = tls.build();
    }
    ManagedChannelBuilder<?> builder =
        Grpc.newChannelBuilderForAddress(at.host, at.port, credentials)
            .userAgent("branchkeeper-java/" + Semantics.VERSION)
            .maxInboundMessageSize(Semantics.MAX_MESSAGE_BYTES);
    if (!options.keepalive.isZero()) {
      builder.keepAliveTime(options.keepalive.toMillis(), TimeUnit.MILLISECONDS);
      builder.keepAliveTimeout(Semantics.KEEPALIVE_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
    }
    return new BranchkeeperClient(builder.build(), options);
  }

  /** The register of branches. */
  public BranchServiceGrpc.BranchServiceBlockingStub branches() {
    return BranchServiceGrpc.newBlockingStub(channel);
  }

  /** Migrating, and where branches stand. */
  public MigrationServiceGrpc.MigrationServiceBlockingStub migrations() {
    return MigrationServiceGrpc.newBlockingStub(channel);
  }

  /** Who did what. */
  public AuditServiceGrpc.AuditServiceBlockingStub audit() {
    return AuditServiceGrpc.newBlockingStub(channel);
  }

  /** Who may call. */
  public AccessServiceGrpc.AccessServiceBlockingStub access() {
    return AccessServiceGrpc.newBlockingStub(channel);
  }

  /** What people are told of. */
  public NotificationServiceGrpc.NotificationServiceBlockingStub notifications() {
    return NotificationServiceGrpc.newBlockingStub(channel);
  }

  /** For stubs of other kinds and services: their calls get the token and the deadline too. */
  public Channel channel() {
    return channel;
  }

  /**
   * Does a call of a stub within the client's deadline, and again where its kind and the status say that this is safe:
   * {@code client.call(Kind.READ, () -> client.migrations().pending(request))}.
   */
  public <T> T call(Kind kind, Supplier<T> call) {
    return call(kind, options.deadline, call);
  }

  /** As {@link #call(Kind, Supplier)} within another deadline. */
  public <T> T call(Kind kind, Duration limit, Supplier<T> call) {
    long end = System.nanoTime() + limit.toNanos();
    for (int failures = 1; ; failures++) {
      BranchkeeperException error;
      try {
        return once(Duration.ofNanos(Math.max(1, end - System.nanoTime())), call);
      } catch (StatusRuntimeException failed) {
        error = BranchkeeperException.from(failed);
      }
      Duration wait = Retries.waitAfter(failures, error);
      boolean late = System.nanoTime() + wait.toNanos() - end >= 0;
      if (late || failures >= Semantics.MAX_ATTEMPTS || !Retries.again(error, kind)) {
        throw error;
      }
      Retries.pause(wait);
      bare.resetConnectBackoff();
    }
  }

  private <T> T once(Duration limit, Supplier<T> call) {
    Context.CancellableContext context =
        Context.current().withDeadlineAfter(limit.toNanos(), TimeUnit.NANOSECONDS, timer);
    Context before = context.attach();
    try {
      return call.get();
    } finally {
      context.detach(before);
      context.cancel(null);
    }
  }

  /** Migrates one branch, given by code or id; see {@link #apply(ApplyRequest)}. */
  public ApplyResponse apply(String branch) {
    return apply(ApplyRequest.newBuilder().setBranch(branch).build());
  }

  /**
   * Migrates one branch and answers when that is done. A request without request_id gets one, so that it is safe to
   * repeat, which happens by itself. A migration that fails is not an exception: look at the result.
   */
  public ApplyResponse apply(ApplyRequest request) {
    return apply(request, options.runDeadline);
  }

  /** As {@link #apply(ApplyRequest)} within another deadline. */
  public ApplyResponse apply(ApplyRequest request, Duration limit) {
    String name = request.getRequestId().isEmpty() ? newRequestId() : request.getRequestId();
    ApplyRequest full = request.toBuilder().setRequestId(name).build();
    return call(Kind.NAMED, limit, () -> migrations().apply(full));
  }

  /**
   * Migrates all active branches that the request selects, and gives the run's events, each once and in order. It ends
   * after run_finished.
   *
   * <p>The run begins with the first event asked for. A connection that breaks is made again, and the stream goes on
   * after the last event seen. Closing it does not stop the run: CancelRun does.
   */
  public RunEvents applyAll(ApplyAllRequest request) {
    String name = request.getRequestId().isEmpty() ? newRequestId() : request.getRequestId();
    ApplyAllRequest full = request.toBuilder().setRequestId(name).build();
    WatchRunRequest watch =
        WatchRunRequest.newBuilder().setIncludeStatements(request.getIncludeStatements()).build();
    return new RunEvents(this, full, watch);
  }

  /** Gives the events of a run after a sequence number, to the run's end, over broken connections as applyAll. */
  public RunEvents watchRun(WatchRunRequest request) {
    return new RunEvents(this, null, request);
  }

  /** Waits until the service is there and ready to migrate, at most 60 s. */
  public void waitReady() {
    waitReady(MIGRATION_SERVICE, Semantics.READY_TIMEOUT);
  }

  /**
   * Waits until a service is there and ready to work; an empty name means the service as a whole. Throws
   * DEADLINE_EXCEEDED, saying what was seen last, when that takes longer than {@code limit}.
   */
  public void waitReady(String service, Duration limit) {
    long end = System.nanoTime() + limit.toNanos();
    HealthCheckRequest request = HealthCheckRequest.newBuilder().setService(service).build();
    Duration pause = Duration.ofMillis(100);
    while (true) {
      String seen;
      try {
        long left = Math.max(1, end - System.nanoTime());
        Duration check = Duration.ofNanos(Math.min(left, Semantics.READY_CHECK.toNanos()));
        ServingStatus status = once(check, () -> HealthGrpc.newBlockingStub(channel).check(request)).getStatus();
        if (status == ServingStatus.SERVING) {
          return;
        }
        seen = status.name();
      } catch (StatusRuntimeException failed) {
        BranchkeeperException error = BranchkeeperException.from(failed);
        switch (error.code()) {
          case NOT_FOUND:
          case UNAVAILABLE:
          case DEADLINE_EXCEEDED:
            seen = error.toString();
            break;
          default:
            throw error;
        }
      }
      if (System.nanoTime() + pause.toNanos() - end >= 0) {
        String text = "'" + service + "' was not ready within " + limit + "; the last answer was " + seen;
        throw BranchkeeperException.of(Status.DEADLINE_EXCEEDED.withDescription(text));
      }
      Retries.pause(pause);
      bare.resetConnectBackoff();
      pause = Duration.ofMillis(Math.min(pause.toMillis() * 2, 1000));
    }
  }

  void reconnectSoon() {
    bare.resetConnectBackoff();
  }

  private static String newRequestId() {
    return UUID.randomUUID().toString();
  }

  /** Closes the connection. Calls that are under way fail. */
  @Override
  public void close() {
    bare.shutdownNow();
    timer.shutdownNow();
  }
}
