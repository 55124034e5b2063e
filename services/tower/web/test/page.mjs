// Tries the page in Chromium: `node page.mjs FULL EMPTY`, two addresses that core/chromium_test.go serves, one with a story and one
// without an order. POST FULL/test/NAME makes something happen.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { chromium } from 'playwright-core'

const [full, empty] = process.argv.slice(2)
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox'] })
const troubles = []
const shots = process.env.SCREENSHOTS

async function open(base, path, { width = 1440, scheme = 'light' } = {}) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: scheme, reducedMotion: 'reduce' })
  const page = await context.newPage()
  page.on('pageerror', (e) => troubles.push(`${path}: ${e.message}`))
  page.on('console', (m) => {
    // The browser itself writes down answers such as 404.
    if (m.type() === 'error' && !m.text().startsWith('Failed to load resource')) troubles.push(`${path}: ${m.text()}`)
  })
  page.on('request', (r) => {
    if (new URL(r.url()).origin !== base) troubles.push(`${path} asks ${r.url()}`)
  })
  await page.goto(base + path)
  await page.waitForFunction(() => document.querySelector('h1') && !document.querySelector('.skeleton'))
  return page
}

async function accessible(page, name) {
  await page.evaluate(() => document.querySelectorAll('details').forEach((d) => (d.open = true)))
  await page.evaluate(axe)
  const found = await page.evaluate(() =>
    axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }).then((r) => ({
      passes: r.passes.length, violations: r.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`),
    })),
  )
  assert.deepEqual(found.violations, [], `${name}: axe`)
  assert.ok(found.passes > 15, `${name}: axe has looked at ${found.passes} rules alone`)
}

const tests = {
  async 'every screen'() {
    // Contrast hangs on the scheme, the layout on the width: two of the four tell of both, and the build server tries all.
    const all = [['light', 1440], ['dark', 390], ['light', 390], ['dark', 1440]]
    for (const [scheme, width] of process.env.REQUIRE_CHROMIUM ? all : all.slice(0, 2)) {
      for (const [name, base, path] of [
        ['overview', full, '/'], ['exceptions', full, '/exceptions'], ['orders', full, '/cases'], ['thread', full, '/cases/ord_1'],
        ['nothing', full, '/find?q=nothing'], ['noorder', full, '/find?q=interchanges/edi_1'], ['filtered', full, '/exceptions?q=nothing'], ['empty', empty, '/'], ['none', empty, '/exceptions'],
      ]) {
        const page = await open(base, path, { width, scheme })
        const what = `${name} ${scheme} ${width}`
        await accessible(page, what)
        const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
        assert.ok(over <= 0, `${what}: ${over} px wider than the window`)
        if (shots) await page.screenshot({ path: `${shots}/${name}-${scheme}-${width}.png`, fullPage: true })
        await page.context().close()
      }
    }
  },

  async 'the data of a screen comes in one request'() {
    const page = await open(full, '/')
    const asked = await page.evaluate(() => performance.getEntriesByType('resource').filter((e) => e.initiatorType === 'fetch').map((e) => new URL(e.name).pathname))
    assert.deepEqual(asked, ['/v1/overview'])
    await page.context().close()
  },

  async 'by keyboard alone'() {
    const page = await open(full, '/')
    await page.keyboard.press('Tab')
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'To the content')
    await page.keyboard.press('g')
    await page.keyboard.press('e')
    await page.waitForSelector('h1:has-text("Exceptions")')
    await page.waitForSelector('[data-row]')
    await page.keyboard.press('j')
    await page.keyboard.press('j')
    await page.keyboard.press('k')
    const focused = () => page.evaluate(() => [...document.querySelectorAll('[data-row]')].indexOf(document.activeElement))
    assert.equal(await focused(), 0, 'j, j, k: the first row has the focus')
    const ring = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle)
    assert.equal(ring, 'solid', 'the focus is seen')
    await page.keyboard.press('/')
    await page.keyboard.type('tenders j')
    assert.equal(await page.inputValue('[data-filter]'), 'tenders j', 'keys are letters in a field')
    assert.match(page.url(), /q=tenders/)
    await page.keyboard.press('Escape')
    await page.keyboard.press('?')
    assert.ok(await page.isVisible('dialog'))
    await page.keyboard.press('Escape')
    assert.ok(!(await page.isVisible('dialog')))
    await page.goto(full + '/exceptions')
    await page.waitForSelector('[data-row]')
    await page.keyboard.press('j')
    await page.keyboard.press('Enter')
    await page.waitForSelector('h1:has-text("Order 08292233294")')
    await page.goBack()
    await page.waitForSelector('h1:has-text("Exceptions")')
    await page.context().close()
  },

  async 'new rows wait, and nothing moves under the cursor'() {
    const page = await open(full, '/exceptions')
    await page.waitForSelector('[role=status]:has-text("live")')
    await page.keyboard.press('j')
    const places = () => page.evaluate(() => [...document.querySelectorAll('tbody tr')].map((r) => [r.querySelector('[data-row]').textContent, r.getBoundingClientRect().height]))
    const focused = () => page.evaluate(() => document.activeElement.textContent)
    const before = await places()
    const at = await focused()
    await fetch(full + '/test/open', { method: 'POST' })
    await page.waitForSelector('text=1 new exception – show')
    assert.deepEqual(await places(), before, 'the rows stay until somebody asks')
    assert.equal(await focused(), at, 'and so does the focus')
    await page.click('text=1 new exception – show')
    assert.equal((await places()).length, before.length + 1)
    await fetch(full + '/test/close', { method: 'POST' })
    await page.waitForSelector('tr.gone')
    assert.equal((await places()).length, before.length + 1, 'what was closed is marked, and stays until it is cleared')
    await page.click('text=1 no longer open – clear')
    assert.deepEqual((await places()).map((r) => r[0]), before.map((r) => r[0]))
    await page.context().close()
  },

  async 'pausing stops the stream, following again catches up'() {
    const page = await open(full, '/exceptions')
    await page.waitForSelector('[role=status]:has-text("live")')
    await page.click('button.live')
    await page.waitForSelector('[role=status]:has-text("paused")')
    await fetch(full + '/test/open', { method: 'POST' })
    await page.click('button.live')
    await page.waitForSelector('text=1 new exception – show')
    await fetch(full + '/test/close', { method: 'POST' })
    await page.context().close()
  },

  async 'what a customer wrote is text'() {
    const page = await open(full, '/cases')
    await page.waitForSelector('text=<img src=x onerror=alert(1)>')
    assert.equal(await page.locator('main img').count(), 0)
    await page.click('text=<img src=x onerror=alert(1)>')
    await page.waitForSelector('h1:has-text("<img")')
    await page.context().close()
  },

  async 'a theme is kept, and overrides the system'() {
    const page = await open(full, '/', { scheme: 'light' })
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
    const light = await background()
    await page.selectOption('.theme select', 'dark')
    assert.notEqual(await background(), light)
    await page.reload()
    await page.waitForSelector('h1')
    assert.notEqual(await background(), light)
    await page.context().close()
  },
}

let failed = 0
for (const [name, test] of Object.entries(tests)) {
  try {
    await test()
    console.log('ok', name)
  } catch (e) {
    failed++
    console.log('FAILED', name, '\n', e.message)
  }
}
await browser.close()
if (troubles.length) {
  failed++
  console.log('TROUBLE\n ' + troubles.join('\n '))
}
process.exit(failed ? 1 : 0)
