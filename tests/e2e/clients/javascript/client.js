// The JavaScript SDK as a client. The contract is in tests/e2e/support/clients.py: settings come from the
// standard environment, commands from standard input, reports go to standard output, one JSON a line.
'use strict';

const readline = require('readline');
const { context, diag, DiagLogLevel, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } = require('@opentelemetry/api');
const { SeverityNumber } = require('@opentelemetry/api-logs');
const { ExportResultCode } = require('@opentelemetry/core');
const { resourceFromAttributes } = require('@opentelemetry/resources');
const { BatchLogRecordProcessor, LoggerProvider } = require('@opentelemetry/sdk-logs');
const { AggregationType, MeterProvider, PeriodicExportingMetricReader } = require('@opentelemetry/sdk-metrics');
const { BatchSpanProcessor, TracerProvider } = require('@opentelemetry/sdk-trace');

const KINDS = { grpc: 'grpc', 'http/protobuf': 'proto', 'http/json': 'http' };
const kind = KINDS[process.env.OTEL_EXPORTER_OTLP_PROTOCOL];
const exporter = (signal, kind) => require(`@opentelemetry/exporter-${signal}-otlp-${kind}`);

// The SDK's own warnings, as a person sees them.
const say = (...words) => process.stderr.write(words.join(' ') + '\n');
diag.setLogger({ error: say, warn: say, info() {}, debug() {}, verbose() {} }, DiagLogLevel.WARN);

let exports_ = [];
let items_of = (batch) => batch.length;

/** Gives each batch to the recorder, then to the exporter under test, and notes what that one told. */
class Tee {
  constructor(signal, real, recorder) {
    Object.assign(this, { signal, real, recorder });
    if (signal === 'metrics') {
      this.selectAggregationTemporality = (k) => real.selectAggregationTemporality(k);
      this.selectAggregation = (k) => real.selectAggregation(k);
    }
  }
  export(batch, done) {
    const items = this.signal === 'metrics'
      ? batch.scopeMetrics.flatMap((s) => s.metrics).reduce((n, m) => n + m.dataPoints.length, 0)
      : batch.length;
    const report = { signal: this.signal, items, error: null };
    const send = () => this.real.export(batch, (result) => {
      if (result.code !== ExportResultCode.SUCCESS) report.error = String(result.error);
      exports_.push(report);
      done(result);
    });
    if (!this.recorder) return send();
    this.recorder.export(batch, (result) => {
      if (result.code !== ExportResultCode.SUCCESS) throw new Error(`recorder: ${result.error}`);
      send();
    });
  }
  forceFlush() { return this.real.forceFlush(); }
  shutdown() { return this.real.shutdown(); }
}

function tee(signal, name, path) {
  const recorder = process.env.RECORD_ENDPOINT && new (exporter(path, 'proto')[name])({
    url: `${process.env.RECORD_ENDPOINT}/v1/${signal}`, headers: {}, compression: 'none',
  });
  return new Tee(signal, new (exporter(path, kind)[name])(), recorder);
}

const mark = process.env.CLIENT_MARK;
const resource = resourceFromAttributes({ 'service.name': 'shop', 'client.mark': mark });
const sizes = { maxQueueSize: 100000, scheduledDelayMillis: Number(process.env.OTEL_BSP_SCHEDULE_DELAY || 3600000) };
const tracerProvider = new TracerProvider({
  resource, spanProcessors: [new BatchSpanProcessor({ exporter: tee('traces', 'OTLPTraceExporter', 'trace'), ...sizes })],
});
const loggerProvider = new LoggerProvider({
  resource, processors: [new BatchLogRecordProcessor({ exporter: tee('logs', 'OTLPLogExporter', 'logs'), ...sizes })],
});
const reader = new PeriodicExportingMetricReader({
  exporter: tee('metrics', 'OTLPMetricExporter', 'metrics'), exportIntervalMillis: 3600000, exportTimeoutMillis: 3600000,
});
const meterProvider = new MeterProvider({
  resource, readers: [reader],
  views: [{ instrumentName: 'rich.exponential', aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } }],
});
const tracer = tracerProvider.getTracer('shop.spans', '1.0', { schemaUrl: 'https://example.com/s/1' });
const logger = loggerProvider.getLogger('shop.logs', '2.0', { schemaUrl: 'https://example.com/s/2' });
const meter = meterProvider.getMeter('shop.metrics', '3.0', { schemaUrl: 'https://example.com/s/3' });

const ALL_KINDS = {
  string: 'plain', 'string.empty': '', 'string.unicode': 'Grüße, 世界 \u{1f600} "quoted" \\ \n\t\u0001 end',
  'bool.true': true, 'bool.false': false, int: 42, 'int.zero': 0, 'int.safe': Number.MAX_SAFE_INTEGER, 'int.negative': -7,
  double: 0.1, 'double.tiny': 5e-324,
  array: ['a', '', 'b'], 'array.empty': [], 'array.numbers': [1, 2.5, -3], 'array.bools': [true, false],
};

function rich() {
  const root = tracer.startSpan('server', { kind: SpanKind.SERVER, attributes: ALL_KINDS }, ROOT_CONTEXT);
  root.addEvent('plain', { 'client.mark': mark });
  root.addEvent('rich', ALL_KINDS, [1700000000, 123456789]);
  root.recordException(new Error('an exception event'));
  const inside = trace.setSpan(ROOT_CONTEXT, root);
  const child = tracer.startSpan('client', {
    kind: SpanKind.CLIENT, links: [{ context: root.spanContext(), attributes: ALL_KINDS }, { context: root.spanContext() }],
  }, inside);
  child.setStatus({ code: SpanStatusCode.ERROR, message: 'it broke: ünïcode' });
  child.end();
  const fixed = tracer.startSpan('producer', { kind: SpanKind.PRODUCER, startTime: [1700000000, 1] }, inside);
  fixed.setStatus({ code: SpanStatusCode.OK });
  fixed.end([1700000009, 999999999]);
  root.end();
  const bodies = ['text', '', { map: [1, { deep: true }], b: Buffer.from([0, 1, 255]) }, ['a', 1, 2.5], 17, true];
  bodies.forEach((body, i) => logger.emit({
    timestamp: [1700000000, i], observedTimestamp: [1700000001, i], severityNumber: [1, 5, 9, 13, 17, 24][i],
    severityText: SeverityNumber[9], body, context: i % 2 ? ROOT_CONTEXT : inside, eventName: i ? undefined : 'shop.opened',
    attributes: i % 2 ? { 'client.mark': mark } : { ...ALL_KINDS, map: { a: [1, 'two', null], b: { c: Buffer.from('bytes') } } },
  }));
  const made = { unit: 'By', description: 'what it is' };
  context.with(inside, () => {
    meter.createCounter('rich.counter', made).add(2 ** 53 - 1, ALL_KINDS);
    meter.createCounter('rich.counter.double').add(0.1);
    meter.createUpDownCounter('rich.updown').add(-3, { a: 1 });
    meter.createGauge('rich.gauge', { unit: 'Cel' }).record(-0.5);
    meter.createObservableGauge('rich.observed').addCallback((r) => r.observe(7, { from: 'outside' }));
    for (const name of ['rich.histogram', 'rich.exponential']) {
      const histogram = meter.createHistogram(name, { unit: 'ms' });
      for (const v of [0, 0.5, 3, 30, 300, 30000]) histogram.record(v, { a: 'b' });
    }
  });
}

function logs(count, size) {
  for (let seq = 0; seq < count; seq++)
    logger.emit({ body: 'x'.repeat(size), severityNumber: 9, attributes: { seq }, context: ROOT_CONTEXT });
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** So many spans a second for so many seconds, in steps of 20 ms. */
async function burst(rate, seconds) {
  const start = Date.now();
  for (let seq = 0; seq < rate * seconds;) {
    const due = Math.min(rate * seconds, rate * (Date.now() - start) / 1000);
    for (; seq < due; seq++) tracer.startSpan('burst', { attributes: { seq } }, ROOT_CONTEXT).end();
    await pause(20);
  }
}

async function flush() {
  // It rejects when an export failed; that stands in the report.
  for (const p of [tracerProvider, loggerProvider, meterProvider]) await p.forceFlush({ timeoutMillis: 120000 }).catch(() => {});
}

const COMMANDS = { rich, logs, burst };

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [name, ...numbers] = line.split(' ');
    await COMMANDS[name](...numbers.map(Number));
    await flush();
    process.stdout.write(JSON.stringify({ exports: exports_ }) + '\n');
    exports_ = [];
  }
  process.exit(0); // what was not told to be flushed is not sent
}

main();
