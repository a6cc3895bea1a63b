/** `headgate/telemetry`: OpenTelemetry metrics and traces, and Prometheus' text format for a server of one's own. */
export { type Observed, type ObserveOptions, observe } from './observe.ts'
export type { MeterLike, TracerLike } from './otel-api.ts'
export { prometheusText } from './prometheus.ts'
export { traceHeaders } from './trace-headers.ts'
export { type TraceOptions, traced } from './traced.ts'
