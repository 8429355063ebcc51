// What time it is, anywhere.
import Type from 'typebox'
import { failure } from '../../platform/errors.ts'
import { demand } from './arguments.ts'
import type { Tool } from './tool.ts'

const ClockRequest = Type.Object(
  {
    time_zone: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 64,
        pattern: '^[A-Za-z0-9_+/-]+$',
        description: 'IANA name, like Europe/Stockholm; UTC unless named',
      }),
    ),
  },
  { additionalProperties: false, title: 'ClockRequest' },
)

export const currentTime: Tool = {
  name: 'current_time',
  description: 'Tells date, time and weekday in a time zone.',
  parameters: ClockRequest,
  permission: 'read:agent',
  async run(given) {
    const { time_zone = 'UTC' } = demand('current_time', ClockRequest, given)
    const now = momentIn(time_zone)
    const weekday = now.toLocaleString('en', { weekday: 'long' })
    const time = now.toString({ smallestUnit: 'second', timeZoneName: 'never' })
    return { text: `${weekday} ${time} (${now.timeZoneId})`, structured: { time, weekday, time_zone: now.timeZoneId } }
  },
}

function momentIn(zone: string): Temporal.ZonedDateTime {
  try {
    return Temporal.Now.zonedDateTimeISO(zone)
  } catch (cause) {
    throw failure('invalid_request', `There is no time zone called "${zone}"; use an IANA name, like Europe/Stockholm`, { cause })
  }
}
