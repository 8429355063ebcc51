// Child processes as they are without tap: it tells every child to load its recorder of coverage, which nobody reads here, and which the
// document reader, a child that may touch nothing, is not permitted to load.

interface Spawns {
  listeners: unknown[]
}

const spawns = (globalThis as unknown as Record<symbol, Spawns | undefined>)[Symbol.for('process-on-spawn@*:singletonId')]

/** Leaves the children this process starts alone. */
export function plainChildren() {
  if (spawns) spawns.listeners = []
}
