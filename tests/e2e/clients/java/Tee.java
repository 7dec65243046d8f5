import io.opentelemetry.exporter.otlp.http.logs.OtlpHttpLogRecordExporter;
import io.opentelemetry.exporter.otlp.http.metrics.OtlpHttpMetricExporter;
import io.opentelemetry.exporter.otlp.http.trace.OtlpHttpSpanExporter;
import io.opentelemetry.sdk.common.CompletableResultCode;
import io.opentelemetry.sdk.logs.data.LogRecordData;
import io.opentelemetry.sdk.logs.export.LogRecordExporter;
import io.opentelemetry.sdk.metrics.InstrumentType;
import io.opentelemetry.sdk.metrics.data.AggregationTemporality;
import io.opentelemetry.sdk.metrics.data.MetricData;
import io.opentelemetry.sdk.metrics.export.MetricExporter;
import io.opentelemetry.sdk.trace.data.SpanData;
import io.opentelemetry.sdk.trace.export.SpanExporter;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/** Gives each batch to the recorder, then to the exporter under test, and notes what that one told. */
final class Tee<T> {
  private static final String RECORDER = System.getenv("RECORD_ENDPOINT");
  private static final List<String> reports = new ArrayList<>();

  private final String signal;
  private final Function<Collection<T>, CompletableResultCode> real;
  private final Function<Collection<T>, CompletableResultCode> recorder;

  private Tee(String signal, Function<Collection<T>, CompletableResultCode> real,
      Function<Collection<T>, CompletableResultCode> recorder) {
    this.signal = signal;
    this.real = real;
    this.recorder = recorder;
  }

  static synchronized String report() {
    String text = "{\"exports\": [" + String.join(", ", reports) + "]}";
    reports.clear();
    return text;
  }

  private static synchronized void note(String text) {
    reports.add(text);
  }

  CompletableResultCode export(Collection<T> batch) {
    if (recorder != null && !recorder.apply(batch).join(30, TimeUnit.SECONDS).isSuccess()) {
      System.err.println("the recorder refused");
      System.exit(1);
    }
    CompletableResultCode result = real.apply(batch);
    CompletableResultCode noted = new CompletableResultCode();
    result.whenComplete(() -> {
      String error = result.isSuccess() ? "null" : "\"failed, see the SDK's log\"";
      note("{\"signal\": \"" + signal + "\", \"items\": " + batch.size() + ", \"error\": " + error + "}");
      if (result.isSuccess()) {
        noted.succeed();
      } else {
        noted.fail();
      }
    });
    return noted;
  }

  private static String path(String signal) {
    return RECORDER + "/v1/" + signal;
  }

  static SpanExporter of(SpanExporter real) {
    SpanExporter recorder = RECORDER == null ? null
        : OtlpHttpSpanExporter.builder().setEndpoint(path("traces")).build();
    Tee<SpanData> tee = new Tee<>("traces", real::export, recorder == null ? null : recorder::export);
    return new SpanExporter() {
      @Override public CompletableResultCode export(Collection<SpanData> batch) { return tee.export(batch); }
      @Override public CompletableResultCode flush() { return real.flush(); }
      @Override public CompletableResultCode shutdown() { return real.shutdown(); }
    };
  }

  static LogRecordExporter of(LogRecordExporter real) {
    LogRecordExporter recorder = RECORDER == null ? null
        : OtlpHttpLogRecordExporter.builder().setEndpoint(path("logs")).build();
    Tee<LogRecordData> tee = new Tee<>("logs", real::export, recorder == null ? null : recorder::export);
    return new LogRecordExporter() {
      @Override public CompletableResultCode export(Collection<LogRecordData> batch) { return tee.export(batch); }
      @Override public CompletableResultCode flush() { return real.flush(); }
      @Override public CompletableResultCode shutdown() { return real.shutdown(); }
    };
  }

  static MetricExporter of(MetricExporter real) {
    MetricExporter recorder = RECORDER == null ? null
        : OtlpHttpMetricExporter.builder().setEndpoint(path("metrics")).build();
    Tee<MetricData> tee = new Tee<>("metrics", real::export, recorder == null ? null : recorder::export);
    return new MetricExporter() {
      @Override public CompletableResultCode export(Collection<MetricData> batch) {
        return batch.isEmpty() ? CompletableResultCode.ofSuccess() : tee.export(batch);
      }
      @Override public AggregationTemporality getAggregationTemporality(InstrumentType type) {
        return real.getAggregationTemporality(type);
      }
      @Override public CompletableResultCode flush() { return real.flush(); }
      @Override public CompletableResultCode shutdown() { return real.shutdown(); }
    };
  }
}
