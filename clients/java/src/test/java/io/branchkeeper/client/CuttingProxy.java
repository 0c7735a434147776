package io.branchkeeper.client;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.concurrent.atomic.AtomicInteger;

/** Passes bytes on, and cuts the first connections when the service has sent a number of bytes on them. */
final class CuttingProxy implements AutoCloseable {
  final AtomicInteger cuts = new AtomicInteger();
  final String target;
  private final ServerSocket listener = new ServerSocket(0, 16, InetAddress.getLoopbackAddress());
  private final int limit;
  private final int most;

  CuttingProxy(int port, int limit, int most) throws IOException {
    this.limit = limit;
    this.most = most;
    this.target = "127.0.0.1:" + listener.getLocalPort();
    begin(
        () -> {
          while (true) {
            Socket client = listener.accept();
            Socket service = new Socket(InetAddress.getLoopbackAddress(), port);
            begin(() -> pass(client, service, false));
            begin(() -> pass(service, client, true));
          }
        });
  }

  private interface Work {
    void run() throws IOException;
  }

  private static void begin(Work work) {
    Thread thread =
        new Thread(
            () -> {
              try {
                work.run();
              } catch (IOException ended) {
                // The connection is over, which is all that it means.
              }
            });
    thread.setDaemon(true);
    thread.start();
  }

  private void pass(Socket from, Socket to, boolean cutting) throws IOException {
    byte[] buffer = new byte[512];
    int passed = 0;
    try (from; to) {
      for (int n; (n = from.getInputStream().read(buffer)) >= 0; ) {
        to.getOutputStream().write(buffer, 0, n);
        passed += n;
        if (cutting && passed >= limit && cuts.get() < most) {
          cuts.incrementAndGet();
          return;
        }
      }
    }
  }

  @Override
  public void close() throws IOException {
    listener.close();
  }
}
