// Presentations, workbooks and books made for the tests, out of the few parts a reader looks at.
import { zipOf } from './made.ts'

const declaration = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
const relations = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships'
export type Parts = Record<string, string | Buffer>

/** The relations of a part: id → [last word of the type, target]. */
function relationsPart(of: Record<string, [string, string]>): string {
  const each = Object.entries(of).map(
    ([id, [type, target]]) => `<Relationship Id="${id}" Type="${relations}/${type}" Target="${target}"/>`,
  )
  return `${declaration}<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">${each.join('')}</Relationships>`
}

/** A text in a shape of a slide; `place` is the type of its placeholder, `body` without a type. */
export function shape(lines: string[], place?: string): string {
  const placeholder =
    place === undefined ? '' : `<p:nvSpPr><p:nvPr><p:ph${place === 'body' ? '' : ` type="${place}"`}/></p:nvPr></p:nvSpPr>`
  return `<p:sp>${placeholder}<p:txBody>${lines.map(line => `<a:p><a:r><a:t>${line}</a:t></a:r></a:p>`).join('')}</p:txBody></p:sp>`
}

/** A table on a slide. */
export function grid(rows: string[][]): string {
  const row = (cells: string[]) =>
    `<a:tr>${cells.map(cell => `<a:tc><a:txBody><a:p><a:r><a:t>${cell}</a:t></a:r></a:p></a:txBody></a:tc>`).join('')}</a:tr>`
  return `<p:graphicFrame><a:graphic><a:graphicData><a:tbl>${rows.map(row).join('')}</a:tbl></a:graphicData></a:graphic></p:graphicFrame>`
}

/** The parts of a presentation; `shown` is the order of its slides by number, `notes` what is said to each. */
export function pptxParts(slides: string[], shown = slides.map((_, i) => i + 1), notes: Record<number, string> = {}): Parts {
  const root = 'xmlns:a="a" xmlns:p="p" xmlns:r="r"'
  const parts: Parts = {
    '[Content_Types].xml': `${declaration}<Types/>`,
    '_rels/.rels': relationsPart({ r1: ['officeDocument', 'ppt/presentation.xml'] }),
    'ppt/presentation.xml': `${declaration}<p:presentation ${root}><p:sldIdLst>${shown.map(n => `<p:sldId id="${255 + n}" r:id="s${n}"/>`).join('')}</p:sldIdLst></p:presentation>`,
    'ppt/_rels/presentation.xml.rels': relationsPart(
      Object.fromEntries(slides.map((_, i) => [`s${i + 1}`, ['slide', `slides/slide${i + 1}.xml`]])),
    ),
  }
  slides.forEach((content, i) => {
    parts[`ppt/slides/slide${i + 1}.xml`] =
      `${declaration}<p:sld ${root}><p:cSld><p:spTree>${content}</p:spTree></p:cSld></p:sld>`
    const said = notes[i + 1]
    if (said === undefined) return
    parts[`ppt/slides/_rels/slide${i + 1}.xml.rels`] = relationsPart({
      n: ['notesSlide', `../notesSlides/notesSlide${i + 1}.xml`],
    })
    parts[`ppt/notesSlides/notesSlide${i + 1}.xml`] =
      `${declaration}<p:notes ${root}>${shape(['repeated'], 'title')}${shape([said], 'body').replace('<p:ph/>', '<p:ph type="body"/>')}</p:notes>`
  })
  return parts
}

/** The parts of a workbook: sheets as the XML of their rows, the strings cells refer to, and the formats of the styles, by number. */
export function xlsxParts(sheets: Record<string, string>, strings: string[] = [], formats: Record<string, string> = {}): Parts {
  const names = Object.keys(sheets)
  const codes = Object.values(formats).map((code, i) => `<numFmt numFmtId="${164 + i}" formatCode="${code}"/>`)
  const parts: Parts = {
    '[Content_Types].xml': `${declaration}<Types/>`,
    '_rels/.rels': relationsPart({ r1: ['officeDocument', '/xl/workbook.xml'] }),
    'xl/workbook.xml': `${declaration}<workbook xmlns:r="r"><sheets>${names.map((name, i) => `<sheet name="${name}" sheetId="${i + 9}" r:id="w${i}"/>`).join('')}</sheets></workbook>`,
    'xl/_rels/workbook.xml.rels': relationsPart({
      ...Object.fromEntries(names.map((_, i) => [`w${i}`, ['worksheet', `worksheets/sheet${i + 1}.xml`] as [string, string]])),
      s: ['sharedStrings', 'sharedStrings.xml'],
      f: ['styles', 'styles.xml'],
    }),
    'xl/sharedStrings.xml': `${declaration}<sst>${strings.map(text => `<si>${text}</si>`).join('')}</sst>`,
    'xl/styles.xml': `${declaration}<styleSheet><numFmts>${codes.join('')}</numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/>${codes.map((_, i) => `<xf numFmtId="${164 + i}"/>`).join('')}</cellXfs></styleSheet>`,
  }
  names.forEach((name, i) => {
    parts[`xl/worksheets/sheet${i + 1}.xml`] = `${declaration}<worksheet><sheetData>${sheets[name]}</sheetData></worksheet>`
  })
  return parts
}

/** The parts of a book: chapters as XHTML, in reading order. */
export function epubParts(title: string, chapters: Record<string, string>): Parts {
  const names = Object.keys(chapters)
  const item = (name: string, i: number) => `<item id="c${i}" href="${encodeURI(name)}" media-type="application/xhtml+xml"/>`
  return {
    mimetype: 'application/epub+zip',
    'META-INF/container.xml': `${declaration}<container><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>`,
    'OEBPS/book.opf': `${declaration}<package><metadata><dc:title>${title}</dc:title></metadata><manifest><item id="nav" href="nav.xhtml" properties="nav"/>${names.map(item).join('')}</manifest><spine><itemref idref="nav"/>${names.map((_, i) => `<itemref idref="c${i}"/>`).join('')}</spine></package>`,
    ...Object.fromEntries(names.map(name => [`OEBPS/${name}`, chapters[name] ?? ''])),
  }
}

export const pptxOf = (...of: Parameters<typeof pptxParts>) => zipOf(pptxParts(...of))
export const xlsxOf = (...of: Parameters<typeof xlsxParts>) => zipOf(xlsxParts(...of))
export const epubOf = (...of: Parameters<typeof epubParts>) => zipOf(epubParts(...of))
