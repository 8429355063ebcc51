// The name under which a download is offered (RFC 6266): a plain ASCII name for old clients and the true one beside it, both without
// anything that could leave the folder or the header.

/** A `Content-Disposition` value that offers `title` as an attachment. */
export function attachment(title: string): string {
  const name = title.replace(/[/\\:*?"<>|\p{Cc}\p{Cf}]+/gu, '_').replace(/^\.+/, '_') || 'document'
  const plain = name
    .normalize('NFKD')
    .replace(/[^\x20-\x7e]/g, '_')
    .replace(/[%\\"]/g, '_')
  const encoded = encodeURIComponent(name).replace(/['()*]/g, mark => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`)
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`
}
