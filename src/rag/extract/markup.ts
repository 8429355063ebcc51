// Tags of HTML and XML as a stream (htmlparser2): no tree is built, nothing is fetched, no entity is expanded but those the languages
// themselves have, so depth and size cost only time.
import { Parser } from 'htmlparser2'
import { Refusal } from './refusal.ts'

/** The parser's own work grows with the square of the depth; pages of unclosed tags stay far below this. */
const DEPTH_MAX = 10_000

type Attributes = Record<string, string>
/** What is called as the tags come; a tag that was never closed is closed at the end. */
type Tags = {
  open: (name: string, attributes: Attributes) => void
  text?: (part: string) => void
  close?: (name: string) => void
}

/** Reads HTML, also XHTML: names are in small letters. Throws `too_large` when it is nested too deeply. */
export function readHtml(text: string, tags: Tags): void {
  read(text, tags, { recognizeSelfClosing: text.trimStart().startsWith('<?xml') })
}

/** Reads XML; names come without their prefix, attributes with it. Throws `too_large` when it is nested too deeply. */
export function readXml(text: string, { open, text: said, close }: Tags): void {
  const local = (name: string) => name.slice(name.indexOf(':') + 1)
  const tags = {
    open: (name: string, of: Attributes) => open(local(name), of),
    text: said,
    close: (name: string) => close?.(local(name)),
  }
  read(text, tags, { xmlMode: true })
}

function read(text: string, { open, text: said, close }: Tags, options: { xmlMode?: boolean; recognizeSelfClosing?: boolean }) {
  let depth = 0
  const parser = new Parser(
    {
      onopentag(name, attributes) {
        if (++depth > DEPTH_MAX) throw new Refusal('too_large', `The document is nested deeper than ${DEPTH_MAX} levels`)
        open(name, attributes)
      },
      ontext: part => said?.(part),
      onclosetag(name) {
        depth--
        close?.(name)
      },
    },
    options,
  )
  parser.write(text)
  parser.end()
}
