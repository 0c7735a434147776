package io.branchkeeper.client;

import java.io.File;
import java.nio.file.Path;
import java.time.Duration;

/** How to speak with the service. Each method gives the options themselves. */
public final class Options {
  File caFile;
  File certFile;
  File keyFile;
  String token;
  Path tokenFile;
  boolean allowInsecureToken;
  Duration deadline = Semantics.DEADLINE;
  Duration runDeadline = Semantics.RUN_DEADLINE;
  Duration keepalive = Semantics.KEEPALIVE_INTERVAL;

  /** Trusts the authorities of a PEM file. Default: Java's. */
  public Options caFile(File file) {
    this.caFile = file;
    return this;
  }

  /** Shows a certificate of the client's own, from PEM files; the key as PKCS #8. Default: none. */
  public Options certificate(File certFile, File keyFile) {
    this.certFile = certFile;
    this.keyFile = keyFile;
    return this;
  }

  /** Sends a token with every call. Default: none. */
  public Options token(String token) {
    this.token = token;
    return this;
  }

  /** Sends the token of a file with every call; it is read again when it has changed. Default: none. */
  public Options tokenFile(Path file) {
    this.tokenFile = file;
    return this;
  }

  /** Sends the token to other machines without TLS. Default: refuse. */
  public Options allowInsecureToken() {
    this.allowInsecureToken = true;
    return this;
  }

  /** Limits a call, its retries included. Default: 60 s. */
  public Options deadline(Duration limit) {
    this.deadline = limit;
    return this;
  }

  /** Limits a call that answers when a run is over. Default: 30 min. */
  public Options runDeadline(Duration limit) {
    this.runDeadline = limit;
    return this;
  }

  /** The silence after which a connection in use is asked for a sign of life; zero for never. Default: 30 s. */
  public Options keepalive(Duration interval) {
    this.keepalive = interval;
    return this;
  }

  /** Says what does not go together. Nothing that was given is repeated: it may be secret. */
  void check(Target target) {
    if (!target.tls && (caFile != null || certFile != null || keyFile != null)) {
      throw new IllegalArgumentException("certificates need TLS; begin the target with https://");
    }
    if ((certFile == null) != (keyFile == null)) {
      throw new IllegalArgumentException("certificate and key belong together; give both or neither");
    }
    if (token != null && tokenFile != null) {
      throw new IllegalArgumentException("token and token file exclude each other; give one of them");
    }
    if ((token != null || tokenFile != null) && !target.tls && !allowInsecureToken && !target.isThisMachine()) {
      throw new IllegalArgumentException(
          "a token would be sent in the clear; use https://, or allowInsecureToken if the network is safe");
    }
    if (deadline.isNegative() || deadline.isZero() || runDeadline.isNegative() || runDeadline.isZero()) {
      throw new IllegalArgumentException("deadlines have to be above 0");
    }
  }
}
