// Every way we know of to write a token that must not pass. Most carry a true signature, so that it is never the signature alone that
// refuses them.
import type { Signing } from '../signing.ts'
import { otherClaims, otherHeaders, otherPayloads } from './contents.ts'
import { otherKeyIds, signedByStranger, signedWithPublic, unsigned } from './signatures.ts'
import { damaged, otherForms } from './spellings.ts'

/** What the list is made from: a token that passes, the key that signed it, and other secrets of the same session. */
export interface Material {
  token: string
  signing: Signing
  refresh_token: string
}

/** name → the values of the `Authorization` header (more than one: the header is sent more than once). */
export type Hostile = Map<string, string[]>

export function hostileTokens(material: Material): Hostile {
  const all: Hostile = new Map()
  for (const [group, tokens] of Object.entries({
    unsigned: unsigned(material),
    'signed with what is public': signedWithPublic(material),
    'signed by a stranger': signedByStranger(material),
    'another key id': otherKeyIds(material),
    'another header': otherHeaders(material),
    'another payload': otherPayloads(material),
    'other claims': otherClaims(material),
    damaged: damaged(material),
  })) {
    for (const [name, token] of Object.entries(tokens)) all.set(`${group}: ${name}`, [`Bearer ${token}`])
  }
  for (const [name, header] of Object.entries(otherForms(material))) all.set(`another form: ${name}`, [header].flat())
  return all
}
