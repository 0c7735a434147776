package io.branchkeeper.client;

import io.grpc.Status;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;

/** What is tried again, and when. The rules are those of docs/clients.md. */
final class Retries {
  private static final Set<Status.Code> NETWORK =
      Set.of(
          Status.Code.UNAVAILABLE,
          Status.Code.INTERNAL,
          Status.Code.UNKNOWN,
          Status.Code.CANCELLED,
          Status.Code.ABORTED);

  private Retries() {}

  /** Whether the status says that trying again is safe and may help. */
  static boolean again(BranchkeeperException error, Kind kind) {
    boolean refused = error.reason().equals(Reason.OVERLOADED) || error.reason().equals(Reason.RATE_LIMITED);
    if (error.code() == Status.Code.RESOURCE_EXHAUSTED && refused) {
      return true;
    }
    boolean mayAsk = error.code() == Status.Code.RESOURCE_EXHAUSTED || error.code() == Status.Code.ABORTED;
    boolean asked = mayAsk && error.retryDelay().isPresent();
    return kind != Kind.WRITE && (error.code() == Status.Code.UNAVAILABLE || asked);
  }

  /** Whether a stream that ended like this is to be opened again. */
  static boolean broken(BranchkeeperException error) {
    return (error.reason().isEmpty() && NETWORK.contains(error.code())) || again(error, Kind.READ);
  }

  /** The wait after so many failures in a row. */
  static Duration waitAfter(int failures, BranchkeeperException error) {
    long longest = Semantics.BACKOFF_INITIAL.toMillis() << Math.min(failures - 1, 16);
    double wait = ThreadLocalRandom.current().nextDouble() * Math.min(longest, Semantics.BACKOFF_MAX.toMillis());
    return error.retryDelay().orElse(Duration.ZERO).plusMillis((long) wait);
  }

  /** Waits; CANCELLED when the thread is interrupted. */
  static void pause(Duration wait) {
    try {
      Thread.sleep(wait.toMillis());
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw BranchkeeperException.of(Status.CANCELLED.withDescription("the thread was interrupted"));
    }
  }
}
