import { describe, expect, it } from 'vitest'
import { pipeline, planOf } from '../../src/builder/pipeline.ts'
import { deadLetter, exponential, fixed, perMinute, perSecond } from '../../src/builder/policies.ts'
import { deadSink, refusal, sinkOf, sourceOf } from './doubles.ts'

// As an untyped caller writes: the compiler would refuse most of this.
// biome-ignore lint/suspicious/noExplicitAny: see above
const given = (value: unknown): any => value
const base = pipeline('payments').from(sourceOf())
const call = (options: unknown) => refusal(() => base.call('fraud', async () => 1, given(options)))
const WHERE = "pipeline 'payments' › call 'fraud'"

describe('a wrong value', () => {
  it.each([
    [{ retry: { attempts: 0 } }, `${WHERE} › retry.attempts: expected an integer from 1 to 1,000,000 (attempts), got 0 (number)`],
    [{ retry: { attempts: '5' } }, `${WHERE} › retry.attempts: expected an integer from 1 to 1,000,000 (attempts), got "5" (string); did you mean 5?`],
    [{ retry: { backoff: { baseMs: null } } }, `${WHERE} › retry.backoff.baseMs: expected an integer from 1 to 2,147,483,647 (milliseconds), got null`],
    [{ retry: true }, `${WHERE} › retry: expected { attempts, backoff, budget } or false, got true (boolean)`],
    [{ concurrency: 0 }, `${WHERE} › concurrency: expected an integer from 1 to 100,000 (calls in flight), got 0 (number)`],
    [{ concurrency: 1.5 }, `${WHERE} › concurrency: expected an integer from 1 to 100,000 (calls in flight), got 1.5 (number)`],
    [{ concurrency: {} }, `${WHERE} › concurrency: expected an integer from 1 to 100,000 (calls in flight), got an object`],
    [{ timeoutMs: 2 ** 31 }, `${WHERE} › timeoutMs: expected an integer from 1 to 2,147,483,647 (milliseconds), got 2,147,483,648 (number)`],
    [{ timeoutMs: '2s' }, `${WHERE} › timeoutMs: expected an integer from 1 to 2,147,483,647 (milliseconds), got "2s" (string); did you mean 2000?`],
    [{ timeoutMs: Number.NaN }, `${WHERE} › timeoutMs: expected an integer from 1 to 2,147,483,647 (milliseconds), got NaN (number)`],
    [{ timeoutMs: Number.POSITIVE_INFINITY }, `${WHERE} › timeoutMs: expected an integer from 1 to 2,147,483,647 (milliseconds), got Infinity (number)`],
    [{ timeoutMs: 5n }, `${WHERE} › timeoutMs: expected an integer from 1 to 2,147,483,647 (milliseconds), got 5n (bigint)`],
    [{ order: 'keys' }, `${WHERE} › order: expected one of 'none', 'key', 'partition', got "keys" (string)`],
    [{ rate: 20 }, `${WHERE} › rate: expected perSecond(n) or perMinute(n), got 20 (number)`],
    [{ queueRecords: 0 }, `${WHERE} › queueRecords: expected an integer from 1 to 10,000,000 (records), got 0 (number)`],
    [{ onFailure: 'skip' }, `${WHERE} › onFailure: expected stop(), skip() or deadLetter(sink), got "skip" (string)`],
    [{ onFailure: { kind: 'deadLetter', sink: {} } }, `${WHERE} › onFailure: expected stop(), skip() or deadLetter(sink), got an object`],
    [5, `${WHERE}: expected an object of options, got 5 (number)`],
    [null, `${WHERE}: expected an object of options, got null`],
    [new Map(), `${WHERE}: expected an object of options, got a Map`],
    [{ retry: { backoff: { baseMs: 500, maxMs: 100 } } }, `${WHERE} › retry.backoff: maxMs (100 (number)) is below baseMs (500 (number)); no delay would fit`],
  ])('%o is refused with what was expected and what came', (options, message) => {
    expect(call(options)).toBe(message)
  }) // biome-ignore format: a table

  it('is listed with all others', () => {
    expect(call({ concurrency: -1, timeout: 5, retry: { budget: 0 } }).split('\n')).toEqual([
      '3 problems:',
      `  - ${WHERE} › concurrency: expected an integer from 1 to 100,000 (calls in flight), got -1 (number)`,
      `  - ${WHERE} › retry.budget: expected a number from 0.001 to 100 (retries per success), got 0 (number)`,
      `  - ${WHERE}: unknown option \`timeout\`; did you mean \`timeoutMs\` (milliseconds)?`,
    ])
  })

  it('is refused at the pipeline, in any depth', () => {
    expect(refusal(() => pipeline('p', given({ admission: { bytes: '64MiB' } })))).toBe(
      'pipeline \'p\' › admission.bytes: expected an integer from 1,024 to 1,099,511,627,776 (bytes), got "64MiB" (string); did you mean 67108864?',
    )
    expect(refusal(() => pipeline('p', given({ commit: 5 })))).toContain('commit: expected an object of options, got 5')
    expect(refusal(() => base.to(sinkOf(), given({ retry: { attempts: 1.5 } })))).toContain(
      "sink 'enriched' › retry.attempts",
    )
  })

  it('is refused by the helpers', () => {
    expect(refusal(() => perSecond(given('5')))).toBe(
      'perSecond(records): expected a number of records, got "5" (string)',
    )
    expect(refusal(() => perMinute(0))).toContain('from 0.0001 to 10,000,000 records a second, got 0')
    expect(refusal(() => perSecond(5, { burst: 0 }))).toContain(
      'perSecond(records) › burst: expected an integer from 1',
    )
    expect(refusal(() => exponential({ factor: 0.5 }))).toBe(
      'exponential() › factor: expected a number from 1 to 100, got 0.5 (number)',
    )
    expect(refusal(() => exponential({ baseMs: 10, maxMs: 5 }))).toContain('is below baseMs')
    expect(refusal(() => fixed(0))).toBe('fixed(calls): expected an integer from 1 to 100,000, got 0 (number)')
    expect(refusal(() => deadLetter(given(sourceOf())))).toBe('deadLetter(sink): expected a sink, got an object')
  })
})

describe('an unknown option', () => {
  it.each([
    ['timeout', '`timeoutMs` (milliseconds)'],
    ['timeoutSeconds', '`timeoutMs` (milliseconds)'],
    ['deadlineMs', '`timeoutMs` (milliseconds)'],
    ['concurency', '`concurrency` (calls in flight)'],
    ['maxConcurrency', '`concurrency` (calls in flight)'],
    ['parallelism', '`concurrency` (calls in flight)'],
    ['rateLimit', '`rate`'],
    ['retries', '`retry`'],
    ['onError', '`onFailure`'],
    ['ONFAILURE', '`onFailure`'],
    ['queue', '`queueRecords` (records)'],
    ['queueSize', '`queueRecords` (records)'],
  ])('%s is answered with what was probably meant', (name, meant) => {
    expect(call({ [name]: 1 })).toBe(`${WHERE}: unknown option \`${name}\`; did you mean ${meant}?`)
  })

  it('is answered with all options when nothing is near', () => {
    expect(refusal(() => base.batch(given({ xyzzy: 1 })))).toBe(
      "pipeline 'payments' › batch 'batch-1': unknown option `xyzzy`; the options here are `records`, `bytes`, `withinMs`",
    )
  })

  it('is found inside other options', () => {
    expect(call({ retry: { maxAttempts: 5 } })).toBe(
      `${WHERE} › retry: unknown option \`maxAttempts\`; did you mean \`attempts\` (attempts)?`,
    )
    expect(refusal(() => base.to(sinkOf(), given({ retry: { budget: 0.1 } })))).toBe(
      "pipeline 'payments' › sink 'enriched' › retry: unknown option `budget`; the options here are `attempts`, `backoff`",
    )
    expect(refusal(() => base.batch(given({ linger: 5 })))).toContain('did you mean `withinMs` (milliseconds)?')
    expect(refusal(() => pipeline('p', given({ shutdownTimeoutMs: 5 })))).toContain('did you mean `drainMs`')
  })
})

describe('a combination that cannot work', () => {
  it('order by key or partition behind a batch', () => {
    for (const order of ['key', 'partition'] as const) {
      expect(refusal(() => base.batch().call('bulk', async (all) => all, { order }))).toBe(
        `pipeline 'payments' › call 'bulk' › order: '${order}' cannot be kept behind .batch(), since a batch has no ` +
          `single ${order}; put the call before .batch(), or leave its order at 'none'`,
      )
    }
    const unbatched = base.batch().flatMap((all) => [...all])
    expect(refusal(() => unbatched.call('late', async () => 1, { order: 'key' }))).toContain('behind .batch()')
  })

  it('a batch larger than the admission', () => {
    const small = pipeline('p', { admission: { records: 100, bytes: 4096 } }).from(sourceOf())
    expect(refusal(() => small.batch({ records: 101 }))).toBe(
      "pipeline 'p' › batch 'batch-1' › records: a batch of 101 records would never fill, since admission.records lets " +
        'only 100 into the pipeline at once; lower the batch or raise the admission',
    )
    expect(refusal(() => small.batch({ bytes: 4097 }))).toContain('bytes: a batch of 4,097 bytes would never fill')
  })

  it('a record larger than the admission', () => {
    expect(refusal(() => pipeline('p', { admission: { bytes: 1024, maxRecordBytes: 1025 } }))).toBe(
      "pipeline 'p' › admission.maxRecordBytes: a record of 1,025 bytes would never be admitted, since admission.bytes " +
        'is 1,024; lower the one or raise the other',
    )
  })

  it('a batch larger than the sink or its queue takes', () => {
    expect(refusal(() => base.batch().to(sinkOf('db', { maxBatchRecords: 100 })))).toBe(
      "pipeline 'payments' › sink 'db': the sink takes at most 100 records a write, and batch-1 makes batches of 500; " +
        'set .batch({ records: 100 }) or less',
    )
    expect(refusal(() => base.batch().to(sinkOf(), { queueRecords: 499 }))).toContain('cannot take a batch of 500')
  })

  it('an async function where a synchronous one belongs', () => {
    const late = given(async () => 1)
    expect(refusal(() => base.map('double', late))).toBe(
      "pipeline 'payments' › map 'double': expected a synchronous function, got an async one; use .call('double', …) " +
        'for asynchronous work',
    )
    expect(refusal(() => base.filter(late))).toContain('got an async one')
    expect(refusal(() => base.tap(late))).toContain('got an async one')
    expect(refusal(() => base.flatMap(given(async function* () {})))).toContain('got an async one')
    expect(refusal(() => base.route('r', late, { a: (flow) => flow.to(sinkOf()) }))).toContain('got an async one')
  })
})

describe('a missing or wrong part', () => {
  it.each<[string, () => unknown, string]>([
    ['no name', () => pipeline(given(undefined)), 'pipeline(name): expected a name (text), got undefined'],
    ['an empty name', () => pipeline(''), 'pipeline(name): expected a name of 1 to 100 characters'],
    ['a name with a line break', () => base.map('a\nb', () => 1), 'without control characters'],
    ['no source', () => given(pipeline('p')).from(), "pipeline 'p' › from: expected at least one source"],
    ['no source, but a sink', () => pipeline('p').from(given(sinkOf())), "got the sink 'enriched'; sinks belong into .to"],
    ['a wrong second source', () => pipeline('p').from(sourceOf(), given(7)), 'expected a source as argument 2'],
    ['an unknown option of a source', () => pipeline('p').from(given({ source: sourceOf(), onfail: 1 })), "source 'payments': unknown option `onfail`; did you mean `onFailure`?"],
    ['two sources of one name', () => pipeline('p').from(sourceOf(), sourceOf()), "two sources are named 'payments'"],
    ['a decode that is none', () => pipeline('p').from(given({ ...sourceOf(), decode: {} })), 'expected decode to be a function, got an object'],
    ['no sink', () => base.to(given(undefined)), 'to: expected a sink (an object with name, capabilities, open, write, close), got undefined'],
    ['no handler', () => base.call('fraud', given(undefined)), `${WHERE}: expected a handler function, got undefined`],
    ['no name of a call', () => base.call(given(async () => 1), given({})), "expected a name first, as in .call('score', handler)"],
    ['no function', () => base.map('m', given(3)), "map 'm': expected a function, got 3 (number)"],
    ['no branches', () => base.route('r', given(() => 'a'), {}), "route 'r': expected an object with at least one branch"],
    ['no selector', () => base.route('r', given('a'), { a: (flow) => flow.to(sinkOf()) }), 'expected a synchronous function that names the branch, got "a"'],
    ['a branch without end', () => base.route('r', () => 'a', { a: (flow) => given(flow.map(() => 1)) }), "route 'r' › branch 'a': the branch has no end"],
    ['a branch that is no function', () => base.route('r', () => 'a', { a: given(sinkOf()) }), "branch 'a': expected a function of the flow, got an object"],
  ])('%s is refused', (_, build, message) => {
    expect(refusal(build)).toContain(message)
  }) // biome-ignore format: a table

  it('is named when something unfinished is to be run', () => {
    expect(refusal(() => planOf(pipeline('p')))).toBe("pipeline 'p' has no source: continue with .from(source)")
    expect(refusal(() => planOf(base))).toBe("pipeline 'payments' has no end: finish it with .to(sink)")
    expect(refusal(() => planOf(base.batch()))).toContain('has no end')
    expect(refusal(() => planOf({ default: 1 }))).toContain('expected a pipeline, as pipeline(')
    const whole = base.to(sinkOf())
    expect(planOf(whole)).toBe(whole.plan)
  })

  it('is refused when one finished branch is returned twice', () => {
    expect(
      refusal(() => {
        let kept: unknown
        base.route('r', () => 'a', {
          a: (flow) => given((kept = flow.to(sinkOf()))),
          b: () => given(kept),
        })
      }),
    ).toContain("'enriched' is already part of the pipeline; build each branch anew")
  })
})

describe('a sink', () => {
  it('has one place: two branches would write to it beyond what it allows at once', () => {
    const sink = sinkOf<unknown>()
    const twice = () => base.route('r', () => 'a', { a: (flow) => flow.to(sink), b: (flow) => flow.to(sink) })
    expect(refusal(twice)).toContain("the sink 'enriched' ends two branches")
    const each = () => base.route('r', () => 'a', { a: (flow) => flow.to(sinkOf()), b: (flow) => flow.to(sinkOf()) })
    expect(each).not.toThrow()
  })

  it('takes results or dead letters, not both', () => {
    const sink = sinkOf<unknown>('both')
    const both = () => base.map(() => 1, { onFailure: deadLetter(sink) }).to(sink)
    expect(refusal(both)).toContain("the sink 'both' takes both results and dead letters")
  })

  it('for dead letters has a name of its own, wherever it is', () => {
    const [one, other] = [deadLetter(deadSink()), deadLetter(deadSink())]
    const refused = "two dead-letter sinks are named 'dead'"
    const from = () => pipeline('p').from({ source: sourceOf(), onFailure: one })
    expect(refusal(() => from().to(sinkOf(), { onFailure: other }))).toContain(refused)
    expect(
      refusal(() =>
        from().route('r', () => 'a', { a: (flow) => flow.map(() => 1, { onFailure: other }).to(sinkOf()) }),
      ),
    ).toContain(refused)
    expect(() => from().to(sinkOf('dead'), { onFailure: one })).not.toThrow()
    expect(() => from().to(sinkOf(), { onFailure: deadLetter(deadSink('other')) })).not.toThrow()
  })
})
