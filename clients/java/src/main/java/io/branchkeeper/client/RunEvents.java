package io.branchkeeper.client;

import io.branchkeeper.v1.ApplyAllRequest;
import io.branchkeeper.v1.GetRunRequest;
import io.branchkeeper.v1.Run;
import io.branchkeeper.v1.RunEvent;
import io.branchkeeper.v1.WatchRunRequest;
import io.grpc.Context;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.function.Function;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/** A run's events, each once and in order. To be read by one thread at a time, and to be closed. */
public final class RunEvents implements Iterator<RunEvent>, Iterable<RunEvent>, AutoCloseable {
  private final BranchkeeperClient client;
  private final ApplyAllRequest request;
  private final boolean includeStatements;
  private String runId;
  private long last;
  private boolean over;
  private int failures;
  private long failingSince;
  private RunEvent next;
  private Iterator<RunEvent> connection;
  private volatile Context.CancellableContext context;
  private volatile boolean closed;

  RunEvents(BranchkeeperClient client, ApplyAllRequest request, WatchRunRequest watch) {
    this.client = client;
    this.request = request;
    this.runId = watch.getRunId();
    this.last = watch.getAfterSequence();
    this.includeStatements = watch.getIncludeStatements();
  }

  @Override
  public boolean hasNext() {
    while (next == null && !over) {
      BranchkeeperException error;
      try {
        if (connection == null) {
          connection = open();
        }
        if (connection.hasNext()) {
          take(connection.next());
          continue;
        }
        if (!runId.isEmpty() && isOver()) {
          over = true;
          break;
        }
        error = BranchkeeperException.of(Status.UNAVAILABLE.withDescription("the stream ended before the run"));
      } catch (StatusRuntimeException failed) {
        error = BranchkeeperException.from(failed);
      }
      disconnect();
      waitAfter(error);
    }
    return next != null;
  }

  @Override
  public RunEvent next() {
    if (!hasNext()) {
      throw new NoSuchElementException("the run is over");
    }
    RunEvent event = next;
    next = null;
    return event;
  }

  private void take(RunEvent event) {
    runId = event.getRunId();
    if (event.getSequence() <= last) {
      return;
    }
    last = event.getSequence();
    failures = 0;
    next = event;
    if (event.hasRunFinished()) {
      over = true;
      disconnect();
    }
  }

  private Iterator<RunEvent> open() {
    context = Context.current().withCancellation();
    Context before = context.attach();
    try {
      if (runId.isEmpty() && request != null) {
        return map(client.migrations().applyAll(request), answer -> answer.getEvent());
      }
      WatchRunRequest watch =
          WatchRunRequest.newBuilder()
              .setRunId(runId)
              .setAfterSequence(last)
              .setIncludeStatements(includeStatements)
              .build();
      return map(client.migrations().watchRun(watch), answer -> answer.getEvent());
    } finally {
      context.detach(before);
    }
  }

  private static <A> Iterator<RunEvent> map(Iterator<A> answers, Function<A, RunEvent> event) {
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        return answers.hasNext();
      }

      @Override
      public RunEvent next() {
        return event.apply(answers.next());
      }
    };
  }

  private boolean isOver() {
    GetRunRequest which = GetRunRequest.newBuilder().setRunId(runId).build();
    Run run = client.call(Kind.READ, () -> client.migrations().getRun(which)).getRun();
    return run.hasEndTime() && run.getLastSequence() <= last;
  }

  /** Waits before the stream is opened again; throws when it is not to be. */
  private void waitAfter(BranchkeeperException error) {
    long now = System.nanoTime();
    if (failures == 0) {
      failingSince = now;
    }
    failures++;
    boolean gaveUp =
        runId.isEmpty()
            ? failures >= Semantics.MAX_ATTEMPTS
            : now - failingSince > Semantics.REATTACH_FOR.toNanos();
    if (closed || gaveUp || !Retries.broken(error)) {
      over = true;
      throw error;
    }
    Retries.pause(Retries.waitAfter(failures, error));
    client.reconnectSoon();
  }

  private void disconnect() {
    connection = null;
    if (context != null) {
      context.cancel(null);
    }
  }

  /** The same events for a loop; there is but one pass over them. */
  @Override
  public Iterator<RunEvent> iterator() {
    return this;
  }

  /** The same events as a stream, which closes them when it is closed. */
  public Stream<RunEvent> stream() {
    return StreamSupport.stream(spliterator(), false).onClose(this::close);
  }

  /** Ends the stream, also from another thread. The run goes on. */
  @Override
  public void close() {
    closed = true;
    Context.CancellableContext current = context;
    if (current != null) {
      current.cancel(null);
    }
  }
}
