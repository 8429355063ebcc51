// Word documents through mammoth, which makes plain HTML of them; headings, lists and tables are then read as HTML is. Pictures are
// counted and never decoded, links to files outside are not followed.
import mammoth from 'mammoth'
import { failure } from '../../platform/errors.ts'
import type { Reading, Source } from './blocks.ts'
import { htmlBlocks } from './html.ts'

export async function docx({ bytes }: Source): Promise<Reading> {
  const convertImage = mammoth.images.imgElement(async () => ({ src: '' }))
  const made = await mammoth.convertToHtml({ buffer: bytes }, { convertImage, externalFileAccess: false }).catch(error => {
    throw failure('damaged', undefined, { cause: error })
  })
  return htmlBlocks(made.value, true)
}
