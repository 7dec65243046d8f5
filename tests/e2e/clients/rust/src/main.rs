// The Rust SDK as a client. The contract is in tests/e2e/support/clients.py: settings come from the standard
// environment, commands from standard input, reports go to standard output, one JSON a line.

mod tee;

use opentelemetry::logs::{AnyValue, LogRecord, Logger, LoggerProvider, Severity};
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{
    Event, Link, Span, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, Tracer, TracerProvider,
};
use opentelemetry::{Array, Context, InstrumentationScope, Key, KeyValue, StringValue, Value};
use opentelemetry_sdk::logs::{BatchConfigBuilder as LogBatch, BatchLogProcessor, SdkLoggerProvider};
use opentelemetry_sdk::metrics::{Aggregation, Instrument, PeriodicReader, SdkMeterProvider, Stream};
use opentelemetry_sdk::trace::{BatchConfigBuilder as SpanBatch, BatchSpanProcessor, SdkTracerProvider};
use opentelemetry_sdk::Resource;
use std::collections::HashMap;
use std::io::BufRead;
use std::time::{Duration, SystemTime};

const QUEUE: usize = 100_000;
const NEVER: Duration = Duration::from_secs(3600); // nothing is sent before the flush

fn nanos(n: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(n)
}

fn all_kinds() -> Vec<KeyValue> {
    vec![
        KeyValue::new("string", "plain"),
        KeyValue::new("string.empty", ""),
        KeyValue::new("string.unicode", "Grüße, 世界 \u{1f600} \"quoted\" \\ \n\t\u{1} end"),
        KeyValue::new("bool.true", true),
        KeyValue::new("bool.false", false),
        KeyValue::new("int", 42),
        KeyValue::new("int.zero", 0),
        KeyValue::new("int.max", i64::MAX),
        KeyValue::new("int.min", i64::MIN),
        KeyValue::new("double", 0.1),
        KeyValue::new("double.whole", 3.0),
        KeyValue::new("double.tiny", 5e-324),
        KeyValue::new("double.huge", f64::MAX),
        KeyValue::new("array", Value::Array(Array::String(vec![StringValue::from("a"), StringValue::from("")]))),
        KeyValue::new("array.ints", Value::Array(Array::I64(vec![1, -2]))),
        KeyValue::new("array.doubles", Value::Array(Array::F64(vec![0.5]))),
        KeyValue::new("array.bools", Value::Array(Array::Bool(vec![true, false]))),
    ]
}

struct Client {
    tracing: SdkTracerProvider,
    logging: SdkLoggerProvider,
    metering: SdkMeterProvider,
}

impl Client {
    fn new() -> Client {
        let mark = std::env::var("CLIENT_MARK").unwrap_or_default();
        let resource = Resource::builder_empty()
            .with_attributes([KeyValue::new("service.name", "shop"), KeyValue::new("client.mark", mark)])
            .build();
        let spans = BatchSpanProcessor::builder(tee::spans())
            .with_batch_config(SpanBatch::default().with_max_queue_size(QUEUE).with_scheduled_delay(NEVER).build());
        let logs = BatchLogProcessor::builder(tee::logs())
            .with_batch_config(LogBatch::default().with_max_queue_size(QUEUE).with_scheduled_delay(NEVER).build());
        let reader = PeriodicReader::builder(tee::metrics()).with_interval(NEVER).build();
        let exponential = |i: &Instrument| {
            (i.name() == "rich.exponential").then(|| {
                Stream::builder()
                    .with_aggregation(Aggregation::Base2ExponentialHistogram {
                        max_size: 160, max_scale: 20, record_min_max: true,
                    })
                    .build()
                    .expect("a stream")
            })
        };
        Client {
            tracing: SdkTracerProvider::builder().with_resource(resource.clone()).with_span_processor(spans.build()).build(),
            logging: SdkLoggerProvider::builder().with_resource(resource.clone()).with_log_processor(logs.build()).build(),
            metering: SdkMeterProvider::builder().with_resource(resource).with_reader(reader).with_view(exponential).build(),
        }
    }

    fn rich(&self) {
        let scope = InstrumentationScope::builder("shop.spans").with_version("1.0").with_schema_url("https://example.com/s/1");
        let tracer = self.tracing.tracer_with_scope(scope.build());
        let start = |builder: SpanBuilder, inside: &Context| tracer.build_with_context(builder, inside);
        let mut root = start(
            SpanBuilder::from_name("server").with_kind(SpanKind::Server).with_attributes(all_kinds()), &Context::new());
        root.add_event("plain", vec![]);
        root.add_event_with_timestamp("rich", nanos(1_700_000_000_123_456_789), all_kinds());
        let here: SpanContext = root.span_context().clone();
        let inside = Context::new().with_remote_span_context(here.clone());
        let links = vec![Link::new(here.clone(), all_kinds(), 0), Link::with_context(here.clone())];
        let mut child = start(SpanBuilder::from_name("client").with_kind(SpanKind::Client).with_links(links), &inside);
        child.set_status(Status::error("it broke: ünïcode"));
        child.end();
        let early = Event::new("early", nanos(7), vec![], 0);
        let mut fixed = start(
            SpanBuilder::from_name("producer").with_kind(SpanKind::Producer).with_events(vec![early])
                .with_start_time(nanos(1_700_000_000_000_000_001)),
            &inside);
        fixed.set_status(Status::Ok);
        fixed.end_with_timestamp(nanos(1_700_000_009_999_999_999));
        root.end();
        self.rich_logs(&here);
        self.rich_metrics();
    }

    fn rich_logs(&self, here: &SpanContext) {
        let deep: HashMap<Key, AnyValue> = [
            (Key::new("map"), AnyValue::ListAny(Box::new(vec![AnyValue::Int(1), AnyValue::Boolean(true)]))),
            (Key::new("b"), AnyValue::Bytes(Box::new(vec![0, 1, 255]))),
        ].into();
        let bodies = vec![
            AnyValue::from("text"), AnyValue::from(""), AnyValue::Map(Box::new(deep)), AnyValue::Int(17),
            AnyValue::Double(2.5), AnyValue::Boolean(true),
        ];
        let severities = [Severity::Trace, Severity::Debug, Severity::Info, Severity::Warn, Severity::Error, Severity::Fatal4];
        let logger = self.logging.logger("shop.logs");
        for (i, (body, severity)) in bodies.into_iter().zip(severities).enumerate() {
            let mut r = logger.create_log_record();
            r.set_timestamp(nanos(1_700_000_000_000_000_000 + i as u64));
            r.set_observed_timestamp(nanos(1_700_000_001_000_000_000 + i as u64));
            r.set_severity_number(severity);
            r.set_severity_text("level");
            r.set_body(body);
            if i == 0 {
                r.set_event_name("shop.opened");
            }
            if i % 2 == 0 {
                r.add_attributes([("int.max", AnyValue::Int(i64::MAX)), ("bytes", AnyValue::Bytes(Box::new(b"b\0".to_vec())))]);
                r.set_trace_context(here.trace_id(), here.span_id(), Some(here.trace_flags()));
            }
            logger.emit(r);
        }
    }

    fn rich_metrics(&self) {
        let meter = self.metering.meter("shop.metrics");
        meter.u64_counter("rich.counter").with_unit("By").with_description("what it is").build().add((1 << 53) + 1, &all_kinds());
        meter.f64_counter("rich.counter.double").build().add(0.1, &[]);
        meter.i64_up_down_counter("rich.updown").build().add(-3, &[]);
        meter.f64_gauge("rich.gauge").with_unit("Cel").build().record(-0.5, &[]);
        for name in ["rich.histogram", "rich.exponential"] {
            let histogram = meter.f64_histogram(name).with_unit("ms").build();
            for v in [0.0, 0.5, 3.0, 30.0, 300.0, 30_000.0] {
                histogram.record(v, &[KeyValue::new("a", "b")]);
            }
        }
    }

    fn logs(&self, count: i64, size: usize) {
        let logger = self.logging.logger("shop.logs");
        for seq in 0..count {
            let mut r = logger.create_log_record();
            r.set_timestamp(SystemTime::now());
            r.set_body(AnyValue::from("x".repeat(size)));
            r.add_attribute("seq", seq);
            logger.emit(r);
        }
    }

    // Errors stand in the report of the export that failed.
    fn flush(&self) {
        let _ = self.tracing.force_flush();
        let _ = self.logging.force_flush();
        let _ = self.metering.force_flush();
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let _inside = runtime.enter(); // gRPC's channel lives there
    let client = Client::new();
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("a line");
        let words: Vec<&str> = line.split(' ').collect();
        match words[0] {
            "rich" => client.rich(),
            "logs" => client.logs(words[1].parse().expect("a count"), words[2].parse().expect("a size")),
            _ => panic!("no command {line}"),
        }
        client.flush();
        println!("{}", tee::report());
    }
}
