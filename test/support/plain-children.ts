// Loaded before a test file: processes that a test starts get the environment they are given and nothing more. The test runner would
// otherwise put a preload into every child and grandchild to learn which files they load; services are to run as they do in production,
// and the child that reads documents may not load anything from outside.
import processOnSpawn from 'process-on-spawn'

processOnSpawn.removeAllListeners()
