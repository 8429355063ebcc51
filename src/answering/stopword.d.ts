// The stopword package brings no types: each export is the list of one language's words.
declare module 'stopword' {
  const words: string[]

  export {
    words as ara,
    words as deu,
    words as eng,
    words as fra,
    words as hin,
    words as ita,
    words as nld,
    words as por,
    words as rus,
    words as spa,
  }
}
