// How the page writes figures, times and words. Money stays whole numbers from end to end.

const places = new Map()

function digits(currency) {
  if (!places.has(currency)) {
    let n = 2
    try {
      n = new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits
    } catch {
      // A code that no currency has: two places, as most have.
    }
    places.set(currency, n)
  }
  return places.get(currency)
}

/** The figure of an amount, such as "13,558.47"; '' without one. */
export function figure(m) {
  if (!m) return ''
  const units = BigInt(m.units ?? 0)
  const nanos = m.nanos ?? 0
  const n = digits(m.currencyCode)
  const sign = units < 0n || nanos < 0 ? '−' : ''
  const whole = (units < 0n ? -units : units).toLocaleString('en-US')
  return sign + whole + (n ? '.' + String(Math.abs(nanos)).padStart(9, '0').slice(0, n) : '')
}

/** An amount with its currency, such as "13,558.47 USD". */
export const money = (m) => (m ? `${figure(m)} ${m.currencyCode}` : '')

/** Like money, without cents, for what is looked at from afar. */
export function roundMoney(m) {
  if (!m) return ''
  const cents = Number(m.units ?? 0) + (m.nanos ?? 0) / 1e9
  return `${Math.round(cents).toLocaleString('en-US')} ${m.currencyCode}`
}

const short = new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', timeZone: 'UTC' })
const dayOnly = new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric', month: 'short', timeZone: 'UTC' })

/** Such as "Mon 2 Mar, 11:05", UTC. */
export const when = (t) => (t ? short.format(new Date(t)) : '')

/** Such as "Mon 2 Mar", UTC. */
export const day = (t) => (t ? dayOnly.format(new Date(t)) : '')

/** Such as "2026-03-02 11:05:00 UTC". */
export const exact = (t) => (t ? new Date(t).toISOString().replace('T', ' ').replace(/\.\d+Z$|Z$/, ' UTC') : '')

/** Seconds of a duration such as "4500s". */
export const seconds = (d) => (d ? parseFloat(d) : 0)

/** Such as "2 d 4 h", "3 h 36 min" or "under a minute". */
export function span(s) {
  const minutes = Math.round(Math.abs(s) / 60)
  const d = Math.floor(minutes / 1440)
  const h = Math.floor(minutes / 60) % 24
  const m = minutes % 60
  if (d) return h ? `${d} d ${h} h` : `${d} d`
  if (h) return m ? `${h} h ${m} min` : `${h} h`
  return m ? `${m} min` : 'under a minute'
}

/** Seconds from one instant to another. */
export const between = (from, to) => (new Date(to) - new Date(from)) / 1000

/** TENDERS_EXHAUSTED as "Tenders exhausted". */
export function words(s) {
  const low = (s ?? '').replaceAll('_', ' ').toLowerCase()
  if (low === 'po' || low === 'pro') return low.toUpperCase()
  return low.charAt(0).toUpperCase() + low.slice(1)
}

/** A resource name without its collection. */
export const bare = (name) => (name ?? '').replace(/^[^/]*\//, '')

/** 38 of 40 as "95 %". Never rounds up to all. */
export function percent(rate) {
  if (!rate?.all) return '–'
  const p = (100 * rate.good) / rate.all
  return (p > 99 && p < 100 ? '99' : Math.round(p)) + ' %'
}

export const stages = ['ORDERED', 'RELEASED', 'TENDERED', 'BOOKED', 'DEPARTED', 'DELIVERED', 'PROVEN', 'INVOICED', 'SETTLED']

export const stageWords = {
  STAGE_UNSPECIFIED: 'Not told', ORDERED: 'Ordered', RELEASED: 'Released', TENDERED: 'Offered to a carrier', BOOKED: 'Booked', DEPARTED: 'On the way',
  DELIVERED: 'Delivered', PROVEN: 'Delivery proven', INVOICED: 'Invoiced', SETTLED: 'Carrier settled', CANCELLED: 'Cancelled',
}
