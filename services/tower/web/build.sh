#!/usr/bin/env bash
# Builds the page into internal/page/dist, from the locked packages, in a copy of this folder under .cache: packages do not lie in the
# tree. Node is needed for this, and for trying the page in Chromium (core/chromium_test.go), which takes its packages from there.
set -euo pipefail
cd "$(dirname "$0")"
dist=$PWD/../internal/page/dist
copy=$PWD/../../../.cache/tower-web
mkdir -p "$copy"
for part in *; do
  rm -rf "${copy:?}/$part"
  cp -r "$part" "$copy/"
done
cd "$copy"
if ! cmp -s package-lock.json node_modules/.built-from; then
  npm ci --no-audit --no-fund --loglevel=error
  cp package-lock.json node_modules/.built-from
fi
DIST=$dist npm run build --silent
