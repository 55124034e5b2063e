// What the page knows: the data of the screen, and the stream that says when there is newer.

/** Resource is the data of one screen. `shown` changes in place; what would move rows waits in `next` until it is applied. */
export class Resource {
  shown = $state.raw(null)
  next = $state.raw(null)
  fresh = $state(0)
  error = $state.raw(null)
  position = ''
  #url
  #hold
  #again = false
  #busy = false

  /** hold(shown, next) returns what may be shown now, and how many rows wait. */
  constructor(url, hold) {
    this.#url = url
    this.#hold = hold
  }

  async load() {
    if (this.#busy) {
      this.#again = true
      return
    }
    this.#busy = true
    do {
      this.#again = false
      await this.#once()
    } while (this.#again)
    this.#busy = false
  }

  async #once() {
    try {
      const answer = await fetch(this.#url, { headers: { Accept: 'application/json' } })
      const body = await answer.json()
      if (!answer.ok) throw Object.assign(new Error(body.detail ?? answer.statusText), { status: answer.status, metadata: body.metadata })
      this.position = answer.headers.get('Crossdock-Position') ?? ''
      this.error = null
      this.#offer(body)
    } catch (e) {
      this.error = e
    }
  }

  #offer(body) {
    if (!this.shown) {
      this.shown = body
      return
    }
    const { now, fresh } = this.#hold(this.shown, body)
    this.shown = now
    this.fresh = fresh
    this.next = fresh ? body : null
  }

  /** apply shows what has waited. */
  apply() {
    if (this.next) this.shown = this.next
    this.next = null
    this.fresh = 0
  }
}

/** Rows in the order in which they are shown, with the newest content of each; those that are gone are marked, new ones wait. */
export function holdRows(shown, next, key) {
  const newest = new Map(next.map((r) => [key(r), r]))
  const known = new Set(shown.map(key))
  const rows = shown.map((r) => newest.get(key(r)) ?? { ...r, gone: true })
  const fresh = next.filter((r) => !known.has(key(r))).length
  return { rows, fresh, gone: rows.filter((r) => r.gone).length }
}

/** Stream tells the screen to load again when the read model has changed: once a second at most, and not while the page is hidden. */
export class Stream {
  state = $state('connecting')
  #source = null
  #target = null
  #timer = null
  #retry = null

  constructor() {
    document.addEventListener('visibilitychange', () => (document.hidden ? this.#close() : this.#open()))
  }

  /** follow makes a resource the one that is kept fresh. */
  follow(resource) {
    this.#target = resource
    this.#open()
  }

  pause() {
    this.#close()
    this.state = 'paused'
  }

  resume() {
    this.state = 'connecting'
    this.#target?.load()
    this.#open()
  }

  #open() {
    if (this.state === 'paused' || document.hidden || !this.#target) return
    this.#close()
    const after = this.#target.position
    this.#source = new EventSource('/v1/stream' + (after ? '?after=' + encodeURIComponent(after) : ''))
    this.#source.onopen = () => (this.state = 'live')
    this.#source.onerror = () => {
      this.state = 'reconnecting'
      if (this.#source?.readyState === EventSource.CLOSED) {
        clearTimeout(this.#retry)
        this.#retry = setTimeout(() => this.#open(), 2000)
      }
    }
    this.#source.addEventListener('change', () => {
      this.#timer ??= setTimeout(() => {
        this.#timer = null
        this.#target?.load()
      }, 1000)
    })
  }

  #close() {
    clearTimeout(this.#retry)
    this.#source?.close()
    this.#source = null
  }
}
