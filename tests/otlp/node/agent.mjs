// An agent in Node with OpenTelemetry's own SDK and exporter. It measures and exports what its standard
// input says, a line of JSON each, and answers each line with a line: what the SDK had to say of it.
import { createInterface } from "node:readline";

import { DiagLogLevel, diag } from "@opentelemetry/api";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { AggregationTemporalityPreference } from "@opentelemetry/exporter-metrics-otlp-http";
import {
  AggregationType,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";

const { transport, url, headers, temporality, resource, compression, timeout } = JSON.parse(process.argv[2]);

let said = [];
const say = (level) => (...words) => said.push(`${level}: ${words.join(" ")}`);
diag.setLogger(
  { error: say("error"), warn: say("warn"), info() {}, debug() {}, verbose() {} },
  { logLevel: DiagLogLevel.WARN },
);

async function exporterOf() {
  const options = {
    url,
    compression,
    timeoutMillis: timeout,
    temporalityPreference: AggregationTemporalityPreference[temporality],
  };
  if (transport === "grpc") {
    const { Metadata, credentials } = await import("@grpc/grpc-js");
    const { OTLPMetricExporter } = await import("@opentelemetry/exporter-metrics-otlp-grpc");
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
    return new OTLPMetricExporter({ ...options, metadata, credentials: credentials.createInsecure() });
  }
  const { OTLPMetricExporter } = await import(`@opentelemetry/exporter-metrics-otlp-${transport}`);
  return new OTLPMetricExporter({ ...options, headers });
}

const exponential = { aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM }, instrumentName: "app.fine" };
const reader = new PeriodicExportingMetricReader({
  exporter: await exporterOf(),
  exportIntervalMillis: 1_000_000,
  exportTimeoutMillis: timeout,
});
const provider = new MeterProvider({
  readers: [reader],
  views: [exponential],
  resource: resourceFromAttributes({ "service.name": "reception", ...resource }),
});
const meter = provider.getMeter("agent");
const instruments = {
  "app.calls": meter.createCounter("app.calls", { unit: "{call}", description: "Calls handled" }),
  "app.active": meter.createUpDownCounter("app.active"),
  "app.latency": meter.createHistogram("app.latency", { unit: "s" }),
  "app.fine": meter.createHistogram("app.fine", { unit: "s" }),
  // OpenTelemetry takes names of 255 characters.
  "too long": meter.createCounter(`app.${"x".repeat(220)}`),
};
let minutes = 0;
meter.createObservableCounter("app.minutes").addCallback((result) => result.observe(minutes));

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  for (const [name, value, attributes] of asked.measured ?? []) {
    if (name === "app.minutes") minutes = value;
    else if (name === "app.latency" || name === "app.fine") instruments[name].record(value, attributes);
    else instruments[name].add(value, attributes);
  }
  // Node's SDK keeps the start of a series in milliseconds. A start that equals the time of the export
  // says that the start is not known, so what is measured is exported in a later millisecond.
  const measured = Date.now();
  while (Date.now() <= measured) await new Promise((resolve) => setTimeout(resolve, 1));
  if (asked.export) await reader.forceFlush().catch((error) => said.push(`thrown: ${error.message}`));
  console.log(JSON.stringify(said));
  said = [];
}
