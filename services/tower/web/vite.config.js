import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'

// File names stay the same from build to build, so that the committed files change in place; the server tells them apart by their ETag.
export default defineConfig({
  // What scrolls must be reachable by keyboard, and therefore takes the focus.
  plugins: [svelte({ compilerOptions: { runes: true, warningFilter: (w) => w.code !== 'a11y_no_noninteractive_tabindex' } })],
  build: {
    outDir: process.env.DIST,
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    rollupOptions: {
      output: { entryFileNames: 'assets/app.js', chunkFileNames: 'assets/[name].js', assetFileNames: 'assets/app[extname]' },
    },
  },
})
