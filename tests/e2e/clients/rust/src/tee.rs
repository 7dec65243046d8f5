// A tee gives each batch to the recorder, then to the exporter under test, and notes what that one told.

use opentelemetry_otlp::tonic_types::transport::{Certificate, ClientTlsConfig};
use opentelemetry_otlp::{
    Compression, LogExporter, MetricExporter, Protocol, SpanExporter, WithExportConfig, WithHttpConfig, WithTonicConfig,
};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogBatch, LogExporter as LogSink};
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as SpanSink};
use opentelemetry_sdk::Resource;
use std::sync::Mutex;
use std::time::Duration;

static REPORTS: Mutex<Vec<String>> = Mutex::new(Vec::new());

pub fn report() -> String {
    let mut reports = REPORTS.lock().expect("the reports");
    let text = format!("{{\"exports\": [{}]}}", reports.join(", "));
    reports.clear();
    text
}

fn note(signal: &str, items: usize, result: OTelSdkResult) -> OTelSdkResult {
    let error = match &result {
        Ok(()) => "null".to_string(),
        Err(e) => format!("\"{}\"", format!("{e:?}").replace(['"', '\\', '\n'], "'")),
    };
    let text = format!("{{\"signal\": \"{signal}\", \"items\": {items}, \"error\": {error}}}");
    REPORTS.lock().expect("the reports").push(text);
    result
}

fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The SDK does not read this one from the environment.
fn ca() -> Vec<u8> {
    std::fs::read(env("OTEL_EXPORTER_OTLP_CERTIFICATE").expect("a certificate")).expect("its file")
}

/// Made outside of the runtime's thread, where a blocking client may not be made.
fn http_client(ca: Option<Vec<u8>>) -> reqwest::blocking::Client {
    std::thread::spawn(move || {
        let mut builder = reqwest::blocking::Client::builder();
        if let Some(ca) = ca {
            builder = builder.tls_certs_only([reqwest::Certificate::from_pem(&ca).expect("a CA")]);
        }
        builder.build().expect("a client")
    })
    .join()
    .expect("a client")
}

#[derive(Debug)]
pub struct Tee<E> {
    real: E,
    recorder: Option<E>,
}

/// The exporter under test by the environment, the recorder's by RECORD_ENDPOINT.
macro_rules! tee {
    ($kind:ident, $path:literal) => {{
        let protocol = env("OTEL_EXPORTER_OTLP_PROTOCOL").expect("a protocol");
        let gzip = env("OTEL_EXPORTER_OTLP_COMPRESSION").as_deref() == Some("gzip");
        std::env::remove_var("OTEL_EXPORTER_OTLP_COMPRESSION"); // "none" is an error to it
        let real = if protocol == "grpc" {
            let mut builder = $kind::builder()
                .with_tonic()
                .with_tls_config(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca())));
            if gzip {
                builder = builder.with_compression(Compression::Gzip);
            }
            builder.build()
        } else {
            let json = protocol == "http/json";
            let mut builder = $kind::builder()
                .with_http()
                .with_http_client(http_client(Some(ca())))
                .with_protocol(if json { Protocol::HttpJson } else { Protocol::HttpBinary });
            if gzip {
                builder = builder.with_compression(Compression::Gzip);
            }
            builder.build()
        }
        .expect("an exporter");
        if gzip {
            std::env::set_var("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"); // for the next signal
        }
        let recorder = env("RECORD_ENDPOINT").map(|url| {
            $kind::builder()
                .with_http()
                .with_http_client(http_client(None))
                .with_protocol(Protocol::HttpBinary)
                .with_endpoint(url + $path)
                .build()
                .expect("a recorder")
        });
        Tee { real, recorder }
    }};
}

pub fn spans() -> Tee<SpanExporter> {
    tee!(SpanExporter, "/v1/traces")
}

pub fn logs() -> Tee<LogExporter> {
    tee!(LogExporter, "/v1/logs")
}

pub fn metrics() -> Tee<MetricExporter> {
    tee!(MetricExporter, "/v1/metrics")
}

impl SpanSink for Tee<SpanExporter> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let items = batch.len();
        if let Some(recorder) = &self.recorder {
            recorder.export(batch.clone()).await.expect("recorder");
        }
        note("traces", items, self.real.export(batch).await)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.real.set_resource(resource);
        if let Some(recorder) = &mut self.recorder {
            recorder.set_resource(resource);
        }
    }
}

impl LogSink for Tee<LogExporter> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let all: Vec<_> = batch.iter().collect();
        if let Some(recorder) = &self.recorder {
            recorder.export(LogBatch::new(&all)).await.expect("recorder");
        }
        note("logs", all.len(), self.real.export(LogBatch::new(&all)).await)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.real.set_resource(resource);
        if let Some(recorder) = &mut self.recorder {
            recorder.set_resource(resource);
        }
    }
}

impl PushMetricExporter for Tee<MetricExporter> {
    async fn export(&self, batch: &ResourceMetrics) -> OTelSdkResult {
        let items = batch.scope_metrics().flat_map(|s| s.metrics()).count();
        if items == 0 {
            return Ok(());
        }
        if let Some(recorder) = &self.recorder {
            recorder.export(batch).await.expect("recorder");
        }
        note("metrics", items, self.real.export(batch).await)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.real.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.real.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.real.temporality()
    }
}
