#!/usr/bin/env bash
# Generates gen/ from proto/: Go, gRPC, gateway and one OpenAPI document per service. The generators are pinned in
# build/tools and built once into .cache/bin. Files that did not change are left alone, so builds stay cached.
set -euo pipefail
cd "$(dirname "$0")/.."
build/tools.sh
build/protos.sh
export PATH="$PWD/.cache/bin:$PATH"
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
buf generate --output "$new"
for dir in crossdock openapi/crossdock; do
  mkdir -p "gen/$dir"
  (cd "$new/gen/$dir" && find . -type f) | while read -r f; do
    cmp -s "$new/gen/$dir/$f" "gen/$dir/$f" || install -D -m 644 "$new/gen/$dir/$f" "gen/$dir/$f"
  done
  (cd "gen/$dir" && find . -type f) | while read -r f; do
    [ -e "$new/gen/$dir/$f" ] || rm -f "gen/$dir/$f"
  done
done
