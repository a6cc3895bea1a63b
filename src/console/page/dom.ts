/**
 * The few ways in which the page touches its document. Text from the pipeline only ever becomes the text of a node or
 * the value of an attribute, never markup; and a node is written to only when something changed, so that a selection,
 * the focus and a screen reader's place survive two redraws a second.
 */

const SVG = 'http://www.w3.org/2000/svg'

type Attributes = Readonly<Record<string, string | number | boolean | null>>
type Child = Node | string

export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag)
  set(made, attributes)
  made.append(...children)
  return made
}

export function shape<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[Tag] {
  const made = document.createElementNS(SVG, tag)
  set(made, attributes)
  made.append(...children)
  return made
}

/** Null and false remove an attribute. */
export function set(node: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === false) node.removeAttribute(name)
    else {
      const text = value === true ? '' : String(value)
      if (node.getAttribute(name) !== text) node.setAttribute(name, text)
    }
  }
}

export function write(node: Element, text: string): void {
  if (node.textContent !== text) node.textContent = text
}

/** Removes everything in it and puts these there. */
export function fill(node: Element, ...children: readonly Child[]): void {
  node.replaceChildren(...children)
}

/** The element of the page with this id; the page is broken without it. */
export function byId<Type extends Element = HTMLElement>(id: string): Type {
  const found = document.getElementById(id)
  if (!found) throw new Error(`the page has no #${id}`)
  return found as unknown as Type
}

/**
 * Keeps one child for each entry, in order: makes those that are new, updates all, removes the rest. `make` returns the
 * child and the function that brings it up to date.
 */
export function keep<Entry>(
  list: Element,
  entries: readonly Entry[],
  keyOf: (entry: Entry) => string,
  make: (entry: Entry) => { readonly node: Element; readonly update: (entry: Entry) => void },
): void {
  const known = kept.get(list) ?? new Map<string, Kept>()
  kept.set(list, known)
  const wanted = new Set<string>()
  entries.forEach((entry, index) => {
    let key = keyOf(entry)
    while (wanted.has(key)) key += '\u0000'
    wanted.add(key)
    let child = known.get(key)
    if (!child) {
      child = make(entry) as Kept
      known.set(key, child)
    }
    child.update(entry)
    if (list.children[index] !== child.node) list.insertBefore(child.node, list.children[index] ?? null)
  })
  for (const [key, { node }] of known) {
    if (wanted.has(key)) continue
    node.remove()
    known.delete(key)
  }
}

interface Kept {
  readonly node: Element
  readonly update: (entry: unknown) => void
}

const kept = new WeakMap<Element, Map<string, Kept>>()
