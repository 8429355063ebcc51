// What kind of thing a question asks for (a number, a time, a person, a place, a reason), told from its question words in the commonest
// languages, and whether a sentence has such a thing to offer that the question did not name itself.

/** `asked` are the words of the question, in lower case. */
type Kind = { asks: RegExp; offers: (sentence: string, asked: Set<string>) => boolean }

const number =
  /\p{N}|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|hundred|thousand|million|billion|half|third|quarter|dozen|none|several)\b/iu
const time =
  /\b[12]\d{3}s?\b|\d{1,2}[:.]\d{2}\b|\b(?:january|february|march|april|may|june|july|august|september|october|november|december|monday|tuesday|wednesday|thursday|friday|saturday|sunday|century|today|yesterday)\b|\b\d+(?:st|nd|rd|th)\b|\p{N}\s*(?:年|月|日|世纪)|[٠-٩]{4}|[०-९]{4}/iu
const reason =
  /\b(?:because|due to|since|so that|in order to|as a result|caused|causes|owing to|therefore|reason|thus|to avoid|to prevent|weil|parce que|porque)\b|لأن|بسبب|क्योंकि|因为|由于/iu
const placed = /\b(?:in|at|near|from|on|of|to|outside|between)\s+(?:the\s+)?\p{Lu}/u

/** Most particular first: "what year" is a time although it begins with "what". */
const kinds: Kind[] = [
  {
    asks: /\bwhen\b|\b(?:what|which)\s+(?:\w+\s+)?(?:year|date|day|month|century|decade|time)\b|\bwann\b|\bquand\b|\bcu[aá]ndo\b|متى|कब|什么时候|何时|哪一?年/iu,
    offers: sentence => time.test(sentence),
  },
  {
    asks: /\bhow\s+(?:many|much|long|far|old|tall|big|large|high|deep|fast|often|wide)\b|\b(?:what|which)\s+(?:\w+\s+)?(?:percent|percentage|number|amount|population|share|score|price|cost|age|size|rate)\b|\bwie\s*viele?\b|\bcombien\b|\bcu[aá]nt[oa]s?\b|\bكم\b|كم |कितन|多少|几/iu,
    offers: sentence => number.test(sentence),
  },
  {
    asks: /\bwho(?:m|se)?\b|\bwer\b|\bqui\b|\bqui[eé]n(?:es)?\b|谁/iu,
    offers: hasNewName,
  },
  {
    asks: /\bwhere\b|\b(?:what|which)\s+(?:\w+\s+)?(?:city|country|state|town|place|location|river|continent|region|street)\b|\bwo\b|\bo[uù]\b|\bd[oó]nde\b/iu,
    offers: (sentence, asked) => placed.test(sentence) && hasNewName(sentence, asked),
  },
  { asks: /\bwhy\b|\bwarum\b|\bpourquoi\b|\bpor qu[eé]\b|لماذا|क्यों|为什么/iu, offers: sentence => reason.test(sentence) },
]

/** Whether `sentence` offers the kind of thing `question` asks for; undefined when the question asks for nothing in particular. */
export function offersWanted(question: string): ((sentence: string) => boolean) | undefined {
  const kind = kinds.find(({ asks }) => asks.test(question))
  if (!kind) return undefined
  const asked = new Set(question.toLowerCase().match(/[\p{L}\p{N}]+/gu))
  return sentence => kind.offers(sentence, asked)
}

/** A capitalised word that does not begin the sentence and does not stand in the question. */
function hasNewName(sentence: string, asked: Set<string>): boolean {
  const names = sentence.match(/(?<=[\p{L}\p{N},;:)'"’”]\s+["“'‘(]?)\p{Lu}[\p{L}\p{M}'’.-]*/gu) ?? []
  const first = /^["“'‘(]*(\p{Lu}[\p{L}\p{M}'’-]*\s+\p{Lu}[\p{L}\p{M}'’-]*)/u.exec(sentence)?.[1]
  return [...names, ...(first ? [first] : [])].some(name =>
    name
      .toLowerCase()
      .split(/[^\p{L}\p{N}]+/u)
      .some(part => part.length > 1 && !asked.has(part)),
  )
}
