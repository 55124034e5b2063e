// Where the page is. Every filter lives in the address, so that a link shows what its sender saw.

class Route {
  path = $state(location.pathname)
  query = $state.raw(new URLSearchParams(location.search))

  constructor() {
    addEventListener('popstate', () => this.#read())
  }

  #read() {
    this.path = location.pathname
    this.query = new URLSearchParams(location.search)
  }

  go(href) {
    history.pushState(null, '', href)
    this.#read()
    scrollTo(0, 0)
  }

  /** set changes one word of the query in place; an empty value removes it. */
  set(name, value) {
    const q = new URLSearchParams(location.search)
    if (value) q.set(name, value)
    else q.delete(name)
    const s = q.toString()
    history.replaceState(null, '', location.pathname + (s ? '?' + s : ''))
    this.#read()
  }
}

export const route = new Route()

/** Follows links inside the page without loading it again. */
export function follow(event) {
  const a = event.target.closest?.('a[href]')
  if (!a || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || a.target || a.hasAttribute('download')) return
  const to = new URL(a.href)
  if (to.origin !== location.origin || to.pathname === '/find' || (to.pathname === location.pathname && to.search === location.search && to.hash)) return
  event.preventDefault()
  route.go(to.pathname + to.search)
}
