// Writes the hash of everything that the page is built from beside what was built. A Go test computes it again and so tells, without
// Node, when the committed build is stale.
import { createHash } from 'node:crypto'
import { copyFileSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const dist = process.env.DIST
const sources = ['index.html', 'package-lock.json', 'package.json', 'vite.config.js']
for (const dir of ['public', 'src']) {
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) sources.push(join(entry.parentPath, entry.name))
  }
}
sources.sort()
const all = createHash('sha256')
for (const name of sources) {
  all.update(`${createHash('sha256').update(readFileSync(name)).digest('hex')}  ${name}\n`)
}
writeFileSync(join(dist, 'SOURCE_HASH'), all.digest('hex') + '\n')
copyFileSync('node_modules/svelte/LICENSE.md', join(dist, 'LICENSE-svelte.txt'))
