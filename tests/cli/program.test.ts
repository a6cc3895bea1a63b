/** The command line's words: option names, refusals that say what to do, exit codes. Nothing is started here. */
import type { Command } from 'commander'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createProgram, runProgram } from '../../src/cli/program.ts'

function optionsOf(command: Command, path = command.name()): string[] {
  const flags = command.options.map((option) => `${path} ${option.flags}`)
  return [...flags, ...command.commands.flatMap((child) => optionsOf(child, `${path} ${child.name()}`))]
}

describe('the program', () => {
  let said = ''
  beforeEach(() => {
    said = ''
    const take = (chunk: unknown): boolean => {
      said += String(chunk)
      return true
    }
    vi.spyOn(process.stderr, 'write').mockImplementation(take)
    vi.spyOn(process.stdout, 'write').mockImplementation(take)
  })
  afterEach(() => vi.restoreAllMocks())

  test('has these options', () => {
    expect(optionsOf(createProgram(() => {}))).toMatchSnapshot()
  })

  test('shows examples and exit codes in the help of run', async () => {
    expect(await runProgram(['run', '--help'])).toBe(0)
    expect(said).toContain('headgate run pipeline.ts --for 40s --report out.json')
    expect(said).toContain('Exit codes:')
  })

  test.each([
    [['run', 'p.ts', '--for', '10'], 'use 10s for seconds'],
    [['run', 'p.ts', '--for', 'soon'], "'soon' is not a duration: use 10s, 1m30s, 500ms or 2h"],
    [['run', 'p.ts', '--for', '60d'], 'at most'],
    [['run', 'p.ts', '--drain', '-1s'], 'is not a duration'],
    [['run', 'p.ts', '--log-level', 'loud'], 'Allowed choices are debug, info'],
    [['run'], "missing required argument 'file'"],
    [['run', 'p.ts', '--reprot', 'x'], 'Did you mean --report?'],
    [['rnu', 'p.ts'], 'Did you mean run?'],
  ])('refuses %j', async (argv, words) => {
    expect(await runProgram(argv)).toBe(2)
    expect(said).toContain(words)
    expect(said).not.toMatch(/^\s+at /m)
  })

  test('prints its version', async () => {
    expect(await runProgram(['--version'])).toBe(0)
    expect(said).toMatch(/^\d+\.\d+\.\d+/)
  })

  test('refuses a file that is not there', async () => {
    await expect(runProgram(['run', 'nowhere.ts'])).rejects.toMatchObject({
      name: 'CliFailure',
      exitCode: 2,
      message: 'there is no file nowhere.ts',
    })
  })
})
