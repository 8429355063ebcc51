// Word documents through mammoth, which makes plain HTML of them; headings, lists and tables are then read as HTML is. Pictures are
// counted and never decoded, links to files outside are not followed.
import mammoth from 'mammoth'
import type { Reading, Source } from './blocks.ts'
import { htmlBlocks } from './html.ts'
import { Refusal } from './refusal.ts'

export async function docx({ bytes }: Source): Promise<Reading> {
  const convertImage = mammoth.images.imgElement(async () => ({ src: '' }))
  const made = await mammoth.convertToHtml({ buffer: bytes }, { convertImage, externalFileAccess: false }).catch(error => {
    throw new Refusal('damaged', '', error)
  })
  return htmlBlocks(made.value, true)
}
