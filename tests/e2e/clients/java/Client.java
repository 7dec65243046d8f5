// The Java SDK as a client. The contract is in tests/e2e/support/clients.py: settings come from the standard
// environment, commands from standard input, reports go to standard output, one JSON a line.

import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.common.Value;
import io.opentelemetry.api.logs.LogRecordBuilder;
import io.opentelemetry.api.logs.Logger;
import io.opentelemetry.api.logs.Severity;
import io.opentelemetry.api.metrics.DoubleHistogram;
import io.opentelemetry.api.metrics.Meter;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.context.Context;
import io.opentelemetry.context.Scope;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.autoconfigure.AutoConfiguredOpenTelemetrySdk;
import io.opentelemetry.sdk.metrics.Aggregation;
import io.opentelemetry.sdk.metrics.InstrumentSelector;
import io.opentelemetry.sdk.metrics.View;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Map;
import java.util.concurrent.TimeUnit;

public final class Client {
  private static final String MARK = System.getenv().getOrDefault("CLIENT_MARK", "");

  private static final Attributes ALL_KINDS =
      Attributes.builder()
          .put("string", "plain").put("string.empty", "")
          .put("string.unicode", "Grüße, 世界 \uD83D\uDE00 \"quoted\" \\ \n\t\u0001 end")
          .put("bool.true", true).put("bool.false", false)
          .put("int", 42).put("int.zero", 0)
          .put("int.max", Long.MAX_VALUE).put("int.min", Long.MIN_VALUE)
          .put("double", 0.1).put("double.whole", 3.0).put("double.tiny", Double.MIN_VALUE)
          .put("double.huge", Double.MAX_VALUE)
          .put("array", "a", "", "b").put("array.ints", 1L, -2L).put("array.doubles", 0.5)
          .put("array.bools", true, false)
          .build();

  private final OpenTelemetrySdk sdk;
  private final Tracer tracer;
  private final Logger logger;
  private final Meter meter;

  private Client() {
    // The queues hold everything, and nothing is sent before the flush.
    Map<String, String> settings = Map.ofEntries(
        Map.entry("otel.traces.exporter", "otlp"), Map.entry("otel.metrics.exporter", "otlp"),
        Map.entry("otel.logs.exporter", "otlp"), Map.entry("otel.service.name", "shop"),
        Map.entry("otel.resource.attributes", "client.mark=" + MARK.replace(" ", "%20")),
        Map.entry("otel.bsp.max.queue.size", "100000"), Map.entry("otel.blrp.max.queue.size", "100000"),
        Map.entry("otel.bsp.schedule.delay", "1h"), Map.entry("otel.blrp.schedule.delay", "1h"),
        Map.entry("otel.bsp.export.timeout", "1h"), Map.entry("otel.blrp.export.timeout", "1h"),
        Map.entry("otel.metric.export.interval", "1h"));
    sdk = AutoConfiguredOpenTelemetrySdk.builder()
        .addPropertiesSupplier(() -> settings)
        .addSpanExporterCustomizer((real, c) -> Tee.of(real))
        .addLogRecordExporterCustomizer((real, c) -> Tee.of(real))
        .addMetricExporterCustomizer((real, c) -> Tee.of(real))
        .addMeterProviderCustomizer((builder, c) -> builder.registerView(
            InstrumentSelector.builder().setName("rich.exponential").build(),
            View.builder().setAggregation(Aggregation.base2ExponentialBucketHistogram()).build()))
        .disableShutdownHook()
        .build()
        .getOpenTelemetrySdk();
    tracer = sdk.getSdkTracerProvider().tracerBuilder("shop.spans").setInstrumentationVersion("1.0")
        .setSchemaUrl("https://example.com/s/1").build();
    logger = sdk.getSdkLoggerProvider().loggerBuilder("shop.logs").setInstrumentationVersion("2.0").build();
    meter = sdk.getSdkMeterProvider().meterBuilder("shop.metrics").setInstrumentationVersion("3.0").build();
  }

  private void rich() {
    Span root = tracer.spanBuilder("server").setNoParent().setSpanKind(SpanKind.SERVER)
        .setAllAttributes(ALL_KINDS).startSpan();
    root.addEvent("plain");
    root.addEvent("rich", ALL_KINDS, 1_700_000_000_123_456_789L, TimeUnit.NANOSECONDS);
    root.recordException(new IllegalStateException("an exception event"));
    Context inside = Context.root().with(root);
    tracer.spanBuilder("client").setParent(inside).setSpanKind(SpanKind.CLIENT)
        .addLink(root.getSpanContext(), ALL_KINDS).addLink(root.getSpanContext())
        .startSpan().setStatus(StatusCode.ERROR, "it broke: ünïcode").end();
    tracer.spanBuilder("producer").setParent(inside).setSpanKind(SpanKind.PRODUCER)
        .setStartTimestamp(1_700_000_000_000_000_001L, TimeUnit.NANOSECONDS)
        .startSpan().setStatus(StatusCode.OK).end(1_700_000_009_999_999_999L, TimeUnit.NANOSECONDS);
    root.end();
    richLogs(inside);
    try (Scope ignored = inside.makeCurrent()) {
      richMetrics();
    }
  }

  private void richLogs(Context inside) {
    Value<?>[] bodies = {
      Value.of("text"), Value.of(""),
      Value.of(Map.of("map", Value.of(Value.of(1), Value.of(Map.of("deep", Value.of(true)))), "b", Value.of(new byte[] {0, 1, -1}))),
      Value.of(Value.of("a"), Value.of(2.5)), Value.of(17), Value.of(true)};
    for (int i = 0; i < bodies.length; i++) {
      LogRecordBuilder log = logger.logRecordBuilder().setBody(bodies[i])
          .setTimestamp(1_700_000_000_000_000_000L + i, TimeUnit.NANOSECONDS)
          .setObservedTimestamp(1_700_000_001_000_000_000L + i, TimeUnit.NANOSECONDS)
          .setSeverity(Severity.values()[1 + i * 4]).setSeverityText("level");
      if (i == 0) {
        log.setEventName("shop.opened");
      }
      if (i % 2 == 0) {
        log.setAllAttributes(ALL_KINDS).setContext(inside);
      }
      log.emit();
    }
  }

  private void richMetrics() {
    meter.counterBuilder("rich.counter").setUnit("By").setDescription("what it is").build()
        .add((1L << 53) + 1, ALL_KINDS);
    meter.counterBuilder("rich.counter.double").ofDoubles().build().add(0.1);
    meter.upDownCounterBuilder("rich.updown").build().add(-3);
    meter.gaugeBuilder("rich.gauge").setUnit("Cel").build().set(-0.5);
    for (String name : new String[] {"rich.histogram", "rich.exponential"}) {
      DoubleHistogram histogram = meter.histogramBuilder(name).setUnit("ms").build();
      for (double v : new double[] {0, 0.5, 3, 30, 300, 30_000}) {
        histogram.record(v, Attributes.of(AttributeKey.stringKey("a"), "b"));
      }
    }
  }

  private void logs(int count, int size) {
    for (long seq = 0; seq < count; seq++) {
      logger.logRecordBuilder().setBody("x".repeat(size)).setSeverity(Severity.INFO)
          .setAttribute(AttributeKey.longKey("seq"), seq).emit();
    }
  }

  /** So many spans a second for so many seconds, in steps of 20 ms. */
  private void burst(int rate, int seconds) throws InterruptedException {
    long start = System.nanoTime();
    for (long seq = 0; seq < (long) rate * seconds; Thread.sleep(20)) {
      double due = Math.min((double) rate * seconds, rate * ((System.nanoTime() - start) / 1e9));
      for (; seq < due; seq++) {
        tracer.spanBuilder("burst").setNoParent().setAttribute("seq", seq).startSpan().end();
      }
    }
  }

  private void flush() {
    sdk.getSdkTracerProvider().forceFlush().join(2, TimeUnit.MINUTES);
    sdk.getSdkLoggerProvider().forceFlush().join(2, TimeUnit.MINUTES);
    sdk.getSdkMeterProvider().forceFlush().join(2, TimeUnit.MINUTES);
  }

  public static void main(String[] args) throws Exception {
    Client client = new Client();
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
    for (String line; (line = in.readLine()) != null; ) {
      String[] words = line.split(" ");
      switch (words[0]) {
        case "rich" -> client.rich();
        case "logs" -> client.logs(Integer.parseInt(words[1]), Integer.parseInt(words[2]));
        case "burst" -> client.burst(Integer.parseInt(words[1]), Integer.parseInt(words[2]));
        default -> throw new IllegalArgumentException(line);
      }
      client.flush();
      System.out.println(Tee.report());
    }
    System.exit(0);
  }
}
