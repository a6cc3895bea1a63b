/**
 * `headgate/conformance`: the rules that every source and every sink passes, for connectors of one's own. Write a
 * harness, make the cases, and hand them to a test runner:
 *
 *     registerConformance({ test }, sourceConformance(harness))
 */
export { type ConformanceCase, ConformanceError, registerConformance, type TestRunner } from './case.ts'
export type { SinkHarness, SinkWorld, SourceHarness, SourceWorld } from './harness.ts'
export { sinkConformance } from './sink.ts'
export { sourceConformance } from './source.ts'
