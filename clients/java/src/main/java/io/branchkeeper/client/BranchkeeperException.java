package io.branchkeeper.client;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.ResourceInfo;
import com.google.rpc.RetryInfo;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A call that failed. What came of a migration is not an exception but a result whose success is false. */
public final class BranchkeeperException extends RuntimeException {
  private static final long serialVersionUID = 1L;
  private static final String DOMAIN = "branchkeeper";

  private final Status.Code code;
  private final String reason;
  private final String branch;
  private final transient Duration retryDelay;
  private final transient Map<String, String> metadata;
  private final transient List<Violation> violations;

  /** One field of a request that cannot be accepted. */
  public static final class Violation {
    private final String field;
    private final String description;

    Violation(String field, String description) {
      this.field = field;
      this.description = description;
    }

    /** Its name; empty when the violation is of no single field. */
    public String field() {
      return field;
    }

    /** What is wrong with it. */
    public String description() {
      return description;
    }
  }

  private BranchkeeperException(
      StatusRuntimeException cause, ErrorInfo info, String branch, Duration retryDelay, List<Violation> violations) {
    super(cause.getStatus().getDescription() == null ? "" : cause.getStatus().getDescription(), cause);
    this.code = cause.getStatus().getCode();
    this.reason = info.getReason();
    this.metadata = info.getMetadataMap();
    this.branch = branch;
    this.retryDelay = retryDelay;
    this.violations = violations;
  }

  /** Reads the details that the service put into its status. */
  public static BranchkeeperException from(StatusRuntimeException failed) {
    ErrorInfo info = ErrorInfo.getDefaultInstance();
    String resource = "";
    Duration retryDelay = null;
    List<Violation> violations = new ArrayList<>();
    com.google.rpc.Status status = StatusProto.fromThrowable(failed);
    for (Any detail : status == null ? List.<Any>of() : status.getDetailsList()) {
      try {
        if (detail.is(ErrorInfo.class)) {
          ErrorInfo found = detail.unpack(ErrorInfo.class);
          info = found.getDomain().equals(DOMAIN) ? found : info;
        } else if (detail.is(RetryInfo.class)) {
          com.google.protobuf.Duration delay = detail.unpack(RetryInfo.class).getRetryDelay();
          retryDelay = Duration.ofSeconds(delay.getSeconds(), delay.getNanos());
        } else if (detail.is(ResourceInfo.class)) {
          ResourceInfo found = detail.unpack(ResourceInfo.class);
          resource = found.getResourceType().equals("branch") ? found.getResourceName() : resource;
        } else if (detail.is(BadRequest.class)) {
          for (BadRequest.FieldViolation each : detail.unpack(BadRequest.class).getFieldViolationsList()) {
            violations.add(new Violation(each.getField(), each.getDescription()));
          }
        }
      } catch (InvalidProtocolBufferException ignored) {
        // A proxy's broken details are no reason to lose the error itself.
      }
    }
    String branch = info.getMetadataOrDefault("branch", "");
    return new BranchkeeperException(
        failed, info, branch.isEmpty() ? resource : branch, retryDelay, List.copyOf(violations));
  }

  static BranchkeeperException of(Status status) {
    return from(status.asRuntimeException());
  }

  /** The gRPC status. */
  public Status.Code code() {
    return code;
  }

  /** One of {@link Reason}; empty when the failure is not from the service but from the network or the library. */
  public String reason() {
    return reason;
  }

  /** What to do; may be empty. */
  public String hint() {
    return metadata.getOrDefault("hint", "");
  }

  /** The branch that it is about; may be empty. */
  public String branch() {
    return branch;
  }

  /** When to try again; empty when the service does not say. */
  public Optional<Duration> retryDelay() {
    return Optional.ofNullable(retryDelay);
  }

  /** What programs can read besides, by name. */
  public Map<String, String> metadata() {
    return metadata;
  }

  /** The fields of the request that cannot be accepted. */
  public List<Violation> violations() {
    return violations;
  }

  @Override
  public String toString() {
    return (reason.isEmpty() ? code.name() : reason) + ": " + getMessage();
  }
}
