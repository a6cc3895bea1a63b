import io.confluent.parallelconsumer.ParallelConsumerOptions;
import io.confluent.parallelconsumer.ParallelConsumerOptions.CommitMode;
import io.confluent.parallelconsumer.ParallelConsumerOptions.ProcessingOrder;
import io.confluent.parallelconsumer.ParallelStreamProcessor;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * The keyed work on Confluent's Parallel Consumer: order by key, so many threads, positions committed once a second.
 * Arguments: broker, topic, group, records, concurrency, tail. Prints the same line of JSON as the other sides.
 */
public final class ParallelConsumerSide {
  private static final int COMMIT_EVERY_MS = 1_000;
  private static final double STEADY_FROM = 0.05;
  private static final double STEADY_TO = 0.95;

  public static void main(String[] args) throws Exception {
    String broker = args[0];
    String topic = args[1];
    String group = args[2];
    long records = Long.parseLong(args[3]);
    int concurrency = Integer.parseInt(args[4]);
    boolean tail = Boolean.parseBoolean(args[5]);

    Properties properties = new Properties();
    properties.put("bootstrap.servers", broker);
    properties.put("group.id", group);
    properties.put("auto.offset.reset", "earliest");
    properties.put("enable.auto.commit", "false");
    properties.put("key.deserializer", ByteArrayDeserializer.class.getName());
    properties.put("value.deserializer", ByteArrayDeserializer.class.getName());

    ParallelStreamProcessor<byte[], byte[]> processor =
        ParallelStreamProcessor.createEosStreamProcessor(
            ParallelConsumerOptions.<byte[], byte[]>builder()
                .consumer(new KafkaConsumer<byte[], byte[]>(properties))
                .ordering(ProcessingOrder.KEY)
                .maxConcurrency(concurrency)
                .commitMode(CommitMode.PERIODIC_CONSUMER_ASYNCHRONOUS)
                .commitInterval(Duration.ofMillis(COMMIT_EVERY_MS))
                .build());
    processor.subscribe(List.of(topic));

    AtomicLong startedNs = new AtomicLong();
    AtomicLong cpuAtStartNs = new AtomicLong();
    AtomicLong done = new AtomicLong();
    AtomicLong steadyFromNs = new AtomicLong();
    AtomicLong steadyToNs = new AtomicLong();
    CountDownLatch finished = new CountDownLatch(1);
    long steadyFrom = (long) Math.ceil(records * STEADY_FROM);
    long steadyTo = (long) Math.ceil(records * STEADY_TO);

    processor.poll(
        context -> {
          if (startedNs.compareAndSet(0, System.nanoTime())) cpuAtStartNs.set(cpuNs());
          var record = context.getSingleConsumerRecord();
          try {
            Thread.sleep(delayMs(record.partition(), (int) record.offset(), tail));
          } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
          }
          long count = done.incrementAndGet();
          if (count == steadyFrom) steadyFromNs.set(System.nanoTime());
          if (count == steadyTo) steadyToNs.set(System.nanoTime());
          if (count == records) finished.countDown();
        });
    finished.await();
    double seconds = (System.nanoTime() - startedNs.get()) / 1e9;
    double cpuSeconds = (cpuNs() - cpuAtStartNs.get()) / 1e9;
    double steady = (steadyTo - steadyFrom) * 1e9 / (steadyToNs.get() - steadyFromNs.get());
    // Commits; not timed, since it also waits for its poll to end.
    processor.closeDrainFirst(Duration.ofSeconds(30));
    System.out.printf(
        "{\"records\":%d,\"seconds\":%.6f,\"cpuSeconds\":%.6f,\"rssMiB\":%.3f,\"steadyPerSecond\":%.3f,\"sum\":0,\"notes\":{}}%n",
        done.get(), seconds, cpuSeconds, peakMiB(), steady);
    System.exit(0);
  }

  /** As in sides/spec.ts. */
  private static int delayMs(int partition, int offset, boolean tail) {
    int hash = (offset * 16 + partition + 1) * 0x9e3779b1;
    hash = (hash ^ (hash >>> 15)) * 0x85ebca6b;
    hash = hash ^ (hash >>> 13);
    if (tail && Integer.remainderUnsigned(hash, 100) == 0) return 500;
    return 2 + Integer.remainderUnsigned(hash >>> 8, 9);
  }

  private static long cpuNs() {
    return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
  }

  private static double peakMiB() throws Exception {
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith("VmHWM:")) return Long.parseLong(line.replaceAll("\\D", "")) / 1024.0;
    }
    return 0;
  }
}
