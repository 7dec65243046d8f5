package main

import (
	"context"
	"fmt"
	"os"
	"sync"

	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// A tee gives each batch to the recorder, then to the exporter under test, and notes what that one told.

type export struct {
	Signal string  `json:"signal"`
	Items  int     `json:"items"`
	Error  *string `json:"error"`
}

var (
	lock    sync.Mutex
	exports = []export{}
)

func taken() []export {
	lock.Lock()
	defer lock.Unlock()
	done := exports
	exports = []export{}
	return done
}

func note(signal string, items int, err error) error {
	e := export{Signal: signal, Items: items}
	if err != nil {
		text := err.Error()
		e.Error = &text
	}
	lock.Lock()
	defer lock.Unlock()
	exports = append(exports, e)
	return err
}

func recorded(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "recorder:", err)
		os.Exit(1)
	}
}

var (
	overGrpc = os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL") == "grpc"
	recorder = os.Getenv("RECORD_ENDPOINT")
)

// plain hides the certificate, which is for the exporter under test, while it makes a recorder.
func plain[T any](make func() (T, error)) T {
	const name = "OTEL_EXPORTER_OTLP_CERTIFICATE"
	defer os.Setenv(name, os.Getenv(name))
	os.Unsetenv(name)
	return must(make())
}

type spans struct {
	sdktrace.SpanExporter
	recorder sdktrace.SpanExporter
}

func spanTee() sdktrace.SpanExporter {
	t := spans{}
	if overGrpc {
		t.SpanExporter = must(otlptracegrpc.New(background))
	} else {
		t.SpanExporter = must(otlptracehttp.New(background))
	}
	if recorder != "" {
		t.recorder = plain(func() (sdktrace.SpanExporter, error) {
			return otlptracehttp.New(background, otlptracehttp.WithEndpointURL(recorder+"/v1/traces"))
		})
	}
	return t
}

func (t spans) ExportSpans(ctx context.Context, batch []sdktrace.ReadOnlySpan) error {
	if t.recorder != nil {
		recorded(t.recorder.ExportSpans(ctx, batch))
	}
	return note("traces", len(batch), t.SpanExporter.ExportSpans(ctx, batch))
}

type logs struct {
	sdklog.Exporter
	recorder sdklog.Exporter
}

func logTee() sdklog.Exporter {
	t := logs{}
	if overGrpc {
		t.Exporter = must(otlploggrpc.New(background))
	} else {
		t.Exporter = must(otlploghttp.New(background))
	}
	if recorder != "" {
		t.recorder = plain(func() (sdklog.Exporter, error) {
			return otlploghttp.New(background, otlploghttp.WithEndpointURL(recorder+"/v1/logs"))
		})
	}
	return t
}

func (t logs) Export(ctx context.Context, batch []sdklog.Record) error {
	if t.recorder != nil {
		recorded(t.recorder.Export(ctx, batch))
	}
	return note("logs", len(batch), t.Exporter.Export(ctx, batch))
}

type metrics struct {
	sdkmetric.Exporter
	recorder sdkmetric.Exporter
}

func metricTee() sdkmetric.Exporter {
	t := metrics{}
	if overGrpc {
		t.Exporter = must(otlpmetricgrpc.New(background))
	} else {
		t.Exporter = must(otlpmetrichttp.New(background))
	}
	if recorder != "" {
		t.recorder = plain(func() (sdkmetric.Exporter, error) {
			return otlpmetrichttp.New(background, otlpmetrichttp.WithEndpointURL(recorder+"/v1/metrics"))
		})
	}
	return t
}

func (t metrics) Export(ctx context.Context, batch *metricdata.ResourceMetrics) error {
	items := 0
	for _, s := range batch.ScopeMetrics {
		items += len(s.Metrics)
	}
	if items == 0 {
		return nil
	}
	if t.recorder != nil {
		recorded(t.recorder.Export(ctx, batch))
	}
	return note("metrics", items, t.Exporter.Export(ctx, batch))
}
