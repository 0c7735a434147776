package io.branchkeeper.client;

import io.branchkeeper.v1.Branch;
import io.branchkeeper.v1.CreateBranchRequest;
import io.branchkeeper.v1.Provider;
import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** One service with a data folder of its own. */
final class Service implements AutoCloseable {
  static final List<String> FIFTY =
      IntStream.rangeClosed(1, 50).mapToObj(n -> String.format("BR%03d", n)).collect(Collectors.toList());

  final int port;
  final String target;
  private final Path folder = Files.createTempDirectory("branchkeeper-");
  private Process process;

  Service() throws IOException {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = socket.getLocalPort();
    }
    target = "127.0.0.1:" + port;
    Path migrations = Files.createDirectory(folder.resolve("migrations"));
    Files.writeString(
        migrations.resolve("20260101000000_Create.sql"), "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT);");
    Files.writeString(
        migrations.resolve("20260102000000_Extend.sql"), "ALTER TABLE items ADD COLUMN price INTEGER;");
  }

  Service start(Map<String, String> variables) throws IOException {
    String binary = System.getenv("BRANCHKEEPER_BIN");
    if (binary == null) {
      binary = new File("../../target/debug/branchkeeper").getAbsolutePath();
    }
    String data = folder.resolve("data").toString();
    String migrations = folder.resolve("migrations").toString();
    ProcessBuilder builder =
        new ProcessBuilder(binary, "serve", "--listen", target, "--data", data, "--migrations", migrations);
    builder.environment().put("BRANCHKEEPER__AUTO_MIGRATE__ENABLED", "false");
    builder.environment().putAll(variables);
    File log = folder.resolve("log").toFile();
    builder.directory(folder.toFile()).redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.appendTo(log));
    process = builder.start();
    return this;
  }

  Service start() throws IOException {
    return start(Map.of());
  }

  void stop() throws InterruptedException {
    if (process != null) {
      process.destroyForcibly().waitFor();
      process = null;
    }
  }

  void register(BranchkeeperClient client, List<String> codes) {
    for (String code : codes) {
      Branch branch = Branch.newBuilder().setCode(code).setProvider(Provider.PROVIDER_SQLITE).build();
      client.branches().createBranch(CreateBranchRequest.newBuilder().setBranch(branch).build());
    }
  }

  /** Puts something where the branch's database belongs that no migration can work on. */
  void spoil(String code) throws IOException {
    Path file = folder.resolve("data/branches/" + code + "/Database/" + code + ".db");
    Files.createDirectories(file.getParent());
    Files.writeString(file, "this is no database, however long one looks at it");
  }

  @Override
  public void close() throws Exception {
    stop();
    try (Stream<Path> files = Files.walk(folder)) {
      files.sorted(Comparator.reverseOrder()).map(Path::toFile).forEach(File::delete);
    }
  }
}
