import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import org.codelibs.opensearch.runner.OpenSearchRunner;

/** One OpenSearch node on 127.0.0.1: {@code java -cp 'jars/*' Run.java PORT FOLDER}; between nodes, the first free port from 9300. */
public class Run {
    public static void main(String[] arguments) throws Exception {
        int port = Integer.parseInt(arguments[0]);
        Path folder = Files.createDirectories(Path.of(arguments[1]));
        OpenSearchRunner runner = new OpenSearchRunner();
        runner.setMaxHttpPort(port); // without it, 9299
        runner.onBuild((number, settings) -> {
            settings.put("discovery.type", "single-node");
            settings.put("network.host", "127.0.0.1");
            settings.put("cluster.routing.allocation.disk.threshold_enabled", "false"); // a full disk is no reason
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> close(runner)));
        runner.build(OpenSearchRunner.newConfigs()
                .clusterName("streamgauge")
                .numOfNode(1)
                .baseHttpPort(port - 1) // the first node's port is one above
                .basePath(folder.toString())
                .useLogger());
        runner.ensureYellow();
        System.out.println("ready on port " + port);
        new CountDownLatch(1).await();
    }

    private static void close(OpenSearchRunner runner) {
        try {
            runner.close();
        } catch (Exception error) {
            System.err.println("not closed in order: " + error);
        }
    }
}
