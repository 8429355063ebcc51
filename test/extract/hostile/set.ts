// What a hostile file is to the test: its name, its bytes, and how its document must end.

/** `ends` matches `ready` or the code of the failure; `says` matches its sentence; `never` may not be found in the text. */
export interface Hostile {
  name: string
  bytes: Buffer
  ends: RegExp
  says?: RegExp
  never?: RegExp
}

/** A document that must be read: its words are `mark`, so that no two have the same bytes. */
export const words = (mark: string) => `These are the words of ${mark}.`
