// Loaded before a test file: processes that a test starts get the environment they are given and nothing more. The test runner would
// otherwise put a preload into every child and grandchild to learn which files they load; services are to run as they do in production,
// and the child that reads documents may not load anything from outside. What a test that breaks off leaves running ends with it.
import type { ChildProcess } from 'node:child_process'
import { subscribe } from 'node:diagnostics_channel'
import processOnSpawn from 'process-on-spawn'

processOnSpawn.removeAllListeners()

const running = new Set<ChildProcess>()
subscribe('child_process', message => {
  const { process: child } = message as { process: ChildProcess }
  running.add(child)
  child.once('exit', () => running.delete(child))
})
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})
