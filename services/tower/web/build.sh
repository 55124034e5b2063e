#!/usr/bin/env bash
# Builds the page into internal/page/dist, from the locked packages, in a copy of this folder under .cache: packages do not lie in the
# tree. Node is needed for this, and for `./build.sh test`, which tries the committed page in Chromium.
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
case ${1:-build} in
  build) DIST=$dist npm run build --silent ;;
  test) node --test --test-reporter=spec test/ ;;
  *) echo "usage: build.sh [build|test]" >&2; exit 2 ;;
esac
