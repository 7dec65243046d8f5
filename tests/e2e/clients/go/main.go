// The Go SDK as a client. The contract is in tests/e2e/support/clients.py: settings come from the standard
// environment, commands from standard input, reports go to standard output, one JSON a line.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/metric"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

const (
	queue = 100_000
	never = time.Hour // nothing is sent before the flush
)

var (
	background = context.Background()
	mark       = os.Getenv("CLIENT_MARK")
)

func must[T any](v T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return v
}

type client struct {
	tracing  *sdktrace.TracerProvider
	logging  *sdklog.LoggerProvider
	metering *sdkmetric.MeterProvider
	tracer   trace.Tracer
	logger   log.Logger
	meter    metric.Meter
}

func newClient() *client {
	told := resource.NewWithAttributes("https://example.com/r/1",
		attribute.String("service.name", "shop"), attribute.String("client.mark", mark))
	c := &client{}
	c.tracing = sdktrace.NewTracerProvider(sdktrace.WithResource(told),
		sdktrace.WithBatcher(spanTee(), sdktrace.WithMaxQueueSize(queue), sdktrace.WithBatchTimeout(never),
			sdktrace.WithExportTimeout(never)))
	c.logging = sdklog.NewLoggerProvider(sdklog.WithResource(told),
		sdklog.WithProcessor(sdklog.NewBatchProcessor(logTee(), sdklog.WithMaxQueueSize(queue),
			sdklog.WithExportInterval(never), sdklog.WithExportTimeout(never))))
	c.metering = sdkmetric.NewMeterProvider(sdkmetric.WithResource(told),
		sdkmetric.WithReader(sdkmetric.NewPeriodicReader(metricTee(), sdkmetric.WithInterval(never),
			sdkmetric.WithTimeout(never))),
		sdkmetric.WithView(sdkmetric.NewView(sdkmetric.Instrument{Name: "rich.exponential"},
			sdkmetric.Stream{Aggregation: sdkmetric.AggregationBase2ExponentialHistogram{MaxSize: 160, MaxScale: 20}})))
	c.tracer = c.tracing.Tracer("shop.spans", trace.WithInstrumentationVersion("1.0"),
		trace.WithSchemaURL("https://example.com/s/1"), trace.WithInstrumentationAttributes(attribute.Bool("scope", true)))
	c.logger = c.logging.Logger("shop.logs", log.WithInstrumentationVersion("2.0"))
	c.meter = c.metering.Meter("shop.metrics", metric.WithInstrumentationVersion("3.0"))
	return c
}

// flush's errors stand in the report of the export that failed.
func (c *client) flush() {
	c.tracing.ForceFlush(background)
	c.logging.ForceFlush(background)
	c.metering.ForceFlush(background)
}

func allKinds() []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("string", "plain"), attribute.String("string.empty", ""),
		attribute.String("string.unicode", "Grüße, 世界 \U0001f600 \"quoted\" \\ \n\t\x01 end"),
		attribute.Bool("bool.true", true), attribute.Bool("bool.false", false),
		attribute.Int64("int", 42), attribute.Int64("int.zero", 0),
		attribute.Int64("int.max", 1<<63-1), attribute.Int64("int.min", -1<<63),
		attribute.Float64("double", 0.1), attribute.Float64("double.whole", 3), attribute.Float64("double.tiny", 5e-324),
		attribute.StringSlice("array", []string{"a", "", "b"}), attribute.StringSlice("array.empty", nil),
		attribute.Int64Slice("array.ints", []int64{1, -2}), attribute.Float64Slice("array.doubles", []float64{0.5}),
		attribute.BoolSlice("array.bools", []bool{true, false}), attribute.ByteSlice("bytes", []byte{0, 1, 255}),
		attribute.Slice("array.mixed", attribute.Int64Value(1), attribute.StringValue("two"), attribute.Value{}),
		attribute.Map("map", attribute.Map("b", attribute.BoolSlice("c", []bool{true}))),
	}
}

func (c *client) rich() {
	ctx, root := c.tracer.Start(background, "server", trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(allKinds()...))
	root.AddEvent("plain")
	root.AddEvent("rich", trace.WithAttributes(allKinds()...), trace.WithTimestamp(time.Unix(1_700_000_000, 123_456_789)))
	root.RecordError(errors.New("an exception event"))
	_, child := c.tracer.Start(ctx, "client", trace.WithSpanKind(trace.SpanKindClient), trace.WithLinks(
		trace.Link{SpanContext: root.SpanContext(), Attributes: allKinds()}, trace.Link{SpanContext: root.SpanContext()}))
	child.SetStatus(codes.Error, "it broke: ünïcode")
	child.End()
	_, fixed := c.tracer.Start(ctx, "producer", trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithTimestamp(time.Unix(1_700_000_000, 1)))
	fixed.SetStatus(codes.Ok, "")
	fixed.End(trace.WithTimestamp(time.Unix(1_700_000_009, 999_999_999)))
	root.End()
	c.richLogs(ctx)
	c.richMetrics(ctx)
}

func (c *client) richLogs(ctx context.Context) {
	deep := attribute.MapValue(attribute.Slice("map", attribute.Int64Value(1), attribute.MapValue(attribute.Bool("deep", true))), attribute.ByteSlice("b", []byte{0, 1, 255}))
	bodies := []attribute.Value{attribute.StringValue("text"), attribute.StringValue(""), deep, attribute.SliceValue(attribute.StringValue("a"), attribute.Float64Value(2.5)),
		attribute.Int64Value(17), attribute.BoolValue(true), {}}
	for i, body := range bodies {
		var r log.Record
		r.SetTimestamp(time.Unix(1_700_000_000, int64(i)))
		r.SetObservedTimestamp(time.Unix(1_700_000_001, int64(i)))
		r.SetSeverity(log.Severity(i*3 + 1))
		r.SetSeverityText("level")
		r.SetBody(body)
		if i == 0 {
			r.SetEventName("shop.opened")
		}
		if i%2 == 0 {
			r.AddAttributes(attribute.Int64("int.max", 1<<63-1), attribute.Float64("double", 0.1), attribute.ByteSlice("bytes", []byte("b\x00")),
				attribute.Map("map", attribute.Slice("a", attribute.Int64Value(1), attribute.StringValue("two"), attribute.Value{})))
			c.logger.Emit(ctx, r)
		} else {
			c.logger.Emit(background, r)
		}
	}
}

func (c *client) richMetrics(ctx context.Context) {
	all := metric.WithAttributes(allKinds()...)
	must(c.meter.Int64Counter("rich.counter", metric.WithUnit("By"), metric.WithDescription("what it is"))).Add(ctx, 1<<53+1, all)
	must(c.meter.Float64Counter("rich.counter.double")).Add(ctx, 0.1)
	must(c.meter.Int64UpDownCounter("rich.updown")).Add(ctx, -3)
	must(c.meter.Float64Gauge("rich.gauge", metric.WithUnit("Cel"))).Record(ctx, -0.5)
	for _, name := range []string{"rich.histogram", "rich.exponential"} {
		histogram := must(c.meter.Float64Histogram(name, metric.WithUnit("ms")))
		for _, v := range []float64{0, 0.5, 3, 30, 300, 30_000} {
			histogram.Record(ctx, v, metric.WithAttributes(attribute.String("a", "b")))
		}
	}
}

func (c *client) logs(count, size int) {
	for seq := range count {
		var r log.Record
		r.SetTimestamp(time.Now())
		r.SetBody(attribute.StringValue(strings.Repeat("x", size)))
		r.AddAttributes(attribute.Int("seq", seq))
		c.logger.Emit(background, r)
	}
}

func (c *client) do(words []string) {
	var numbers [2]int
	for i, w := range words[1:] {
		numbers[i] = must(strconv.Atoi(w))
	}
	switch words[0] {
	case "rich":
		c.rich()
	case "logs":
		c.logs(numbers[0], numbers[1])
	default:
		must(0, errors.New("no command "+words[0]))
	}
}

func main() {
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { fmt.Fprintln(os.Stderr, err) }))
	c := newClient()
	in, out := bufio.NewScanner(os.Stdin), json.NewEncoder(os.Stdout)
	for in.Scan() {
		c.do(strings.Fields(in.Text()))
		c.flush()
		must(0, out.Encode(map[string]any{"exports": taken()}))
	}
}
