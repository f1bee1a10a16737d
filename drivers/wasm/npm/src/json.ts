// Values as JSON text, and a word on what JSON cannot carry: where it is, and what to do (R32).

import { InputError } from './errors.js'

/** The deepest nesting that the core reads. */
const MAX_DEPTH = 127

/**
 * The JSON text of `value`, as `JSON.stringify` writes it: properties that are `undefined` are left out, `toJSON` is
 * honoured, -0 is 0. Everything else that would silently become something else is an error that names its path from `field`.
 */
export function toJson(value: unknown, field: string): string {
  const checked = check(value, field, [])
  return JSON.stringify(checked === undefined ? null : checked)
}

/** The value to write: `value`, or what its `toJSON` gives. */
function check(value: unknown, path: string, parents: object[], canConvert = true): unknown {
  switch (typeof value) {
    case 'boolean': case 'undefined': return value
    case 'string':
      if (!wellFormed(value)) refuse(path, 'a string with half a surrogate pair', 'cut texts between characters')
      return value
    case 'number':
      if (!Number.isFinite(value)) refuse(path, String(value), 'send null or a string instead')
      return value
    case 'bigint': return refuse(path, 'a BigInt', 'send it as a string')
    case 'function': return refuse(path, 'a function', 'send data only: functions do not outlive the page')
    case 'symbol': return refuse(path, 'a symbol', 'send a string instead')
  }
  if (value === null) return null
  return checkObject(value as object, path, parents, canConvert)
}

function checkObject(value: object, path: string, parents: object[], canConvert: boolean): unknown {
  if (parents.includes(value)) refuse(path, 'a cycle', 'send ids instead of references')
  if (parents.length >= MAX_DEPTH) refuse(path, `nested deeper than ${MAX_DEPTH} levels`, 'flatten it')
  const within = [...parents, value]
  if (canConvert && 'toJSON' in value && typeof value.toJSON === 'function') {
    if (kindOf(value) === 'Date' && isNaN(value as never)) refuse(path, 'an invalid Date', 'send null instead')
    // What it gives is taken as it is, be it the same object.
    const given: unknown = value.toJSON()
    return check(given, path, given === value ? parents : within, false)
  }
  if (Array.isArray(value)) {
    return Array.from(value, (element: unknown, index) => {
      const at = `${path}[${index}]`
      if (element === undefined) refuse(at, 'undefined in an array', 'use null, or leave the element out')
      return check(element, at, within)
    })
  }
  const kind = kindOf(value)
  if (kind !== 'Object') refuse(path, `a ${kind}`, 'turn it into plain objects, arrays and strings')
  const plain: Record<string, unknown> = {}
  for (const [name, property] of Object.entries(value)) {
    const at = /^[A-Za-z_$][\w$]*$/.test(name) ? `${path}.${name}` : `${path}[${JSON.stringify(name)}]`
    if (!wellFormed(name)) refuse(at, 'a name with half a surrogate pair', 'cut texts between characters')
    const checked = check(property, at, within)
    // `__proto__` as an own property must stay one.
    if (checked !== undefined) Object.defineProperty(plain, name, { value: checked, enumerable: true })
  }
  return plain
}

const kindOf = (value: object) => Object.prototype.toString.call(value).slice(8, -1)

function wellFormed(text: string): boolean {
  return !/[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/.test(text)
}

function refuse(path: string, what: string, instead: string): never {
  throw new InputError(`\`${path}\` is ${what}, which JSON cannot carry: ${instead}.`, path, 'not-json')
}
