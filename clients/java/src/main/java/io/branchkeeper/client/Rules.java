package io.branchkeeper.client;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.Context;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/** Adds the token and the deadline to every call. */
final class Rules implements ClientInterceptor {
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  private final Duration deadline;
  private final Duration runDeadline;
  private final Path file;
  private String token;
  private FileTime modified;
  private long size;

  Rules(Options options) {
    this.deadline = options.deadline;
    this.runDeadline = options.runDeadline;
    this.file = options.tokenFile;
    this.token = options.token == null ? null : options.token.strip();
  }

  Duration limit(String method) {
    return Semantics.NAMED.contains(method) ? runDeadline : deadline;
  }

  @Override
  public <Q, A> ClientCall<Q, A> interceptCall(MethodDescriptor<Q, A> method, CallOptions options, Channel next) {
    boolean open = options.getDeadline() == null && Context.current().getDeadline() == null;
    CallOptions full = options;
    if (open && method.getType() == MethodDescriptor.MethodType.UNARY) {
      full = options.withDeadlineAfter(limit(method.getFullMethodName()).toMillis(), TimeUnit.MILLISECONDS);
    }
    return new SimpleForwardingClientCall<Q, A>(next.newCall(method, full)) {
      @Override
      public void start(Listener<A> listener, Metadata headers) {
        String now = token();
        if (now != null) {
          headers.discardAll(AUTHORIZATION);
          headers.put(AUTHORIZATION, "Bearer " + now);
        }
        super.start(listener, headers);
      }
    };
  }

  /** The token of the next call. The file is read again when its time or size has changed. */
  synchronized String token() {
    if (file != null) {
      try {
        BasicFileAttributes found = Files.readAttributes(file, BasicFileAttributes.class);
        if (token == null || !found.lastModifiedTime().equals(modified) || found.size() != size) {
          token = Files.readString(file).strip();
          modified = found.lastModifiedTime();
          size = found.size();
        }
      } catch (IOException failed) {
        throw Status.INVALID_ARGUMENT
            .withDescription("the token file cannot be read: " + failed.getMessage())
            .withCause(failed)
            .asRuntimeException();
      }
    }
    return token;
  }
}
