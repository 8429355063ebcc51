// A stream of a run, read back.
export interface Event {
  id: string
  event: string
  // biome-ignore lint/suspicious/noExplicitAny: events are matched, not typed
  data: any
}

/** The events of a whole stream, comments left out. */
export function eventsIn(text: string): Event[] {
  return text
    .split('\n\n')
    .filter(block => block.startsWith('id: '))
    .map(block => {
      const [id = '', event = '', data = ''] = block.split('\n').map(line => line.replace(/^\w+: /, ''))
      return { id, event, data: JSON.parse(data) }
    })
}
