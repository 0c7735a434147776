package io.branchkeeper.client;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Where the service is. */
final class Target {
  private static final Pattern SHAPE =
      Pattern.compile("(?:(https?)://)?(\\[[0-9a-fA-F:.]+]|[^\\s/:@?#\\[\\]]+)(?::(\\d{1,5}))?/?");
  private static final Pattern HERE = Pattern.compile("localhost|127(\\.\\d{1,3}){3}|\\[::1]");

  final boolean tls;
  final String host;
  final int port;

  private Target(boolean tls, String host, int port) {
    this.tls = tls;
    this.host = host;
    this.port = port;
  }

  /** Reads a target. Repeats nothing of it when it is wrong: it may be secret. */
  static Target of(String text) {
    Matcher found = SHAPE.matcher(text);
    int port = -1;
    if (found.matches()) {
      port = found.group(3) == null ? Semantics.PORT : Integer.parseInt(found.group(3));
    }
    if (port < 1 || port > 65535) {
      throw new IllegalArgumentException("the target is not an address; write it like https://keeper.example:50051");
    }
    return new Target("https".equals(found.group(1)), found.group(2), port);
  }

  boolean isThisMachine() {
    return HERE.matcher(host).matches();
  }
}
