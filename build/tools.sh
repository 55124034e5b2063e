#!/usr/bin/env bash
# Builds the pinned generators and linters of build/tools into .cache/bin, once per version set.
set -euo pipefail
cd "$(dirname "$0")/.."
bin="$PWD/.cache/bin"
want=$(sha256sum build/tools/go.mod build/tools/go.sum | sha256sum | cut -c1-16)
[ -f "$bin/.built-$want" ] && exit 0
mkdir -p "$bin" && rm -f "$bin"/.built-*
(cd build/tools && GOWORK=off GOBIN="$bin" go install tool)
touch "$bin/.built-$want"
