"""OpenTelemetry: another way to record custom metrics, in OTLP over gRPC and HTTP."""
