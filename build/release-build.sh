#!/usr/bin/env bash
# Builds the programs of a release from its commit into a cache outside the tree, and prints the folder. Of every release but
# this one nothing is kept. Without arguments it is the last release.
#
#	build/release-build.sh [VERSION COMMIT [FOLDER]]
#
# FOLDER takes the place of the cache.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ $# -eq 0 ]; then
	last=$(build/release-last.sh)
	[ -n "$last" ] || { echo "nothing was released yet" >&2; exit 1; }
	# shellcheck disable=SC2086 # two words
	set -- $last
fi
version=$1 commit=$2
releases=${CROSSDOCK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/crossdock}/releases
dir=${3:-$releases/$version-$commit}
if [ ! -d "$dir/bin" ]; then
	echo "building $version from $commit into $dir" >&2
	mkdir -p "$dir"
	work=$(mktemp -d "$dir/work.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	mkdir "$work/src" "$work/bin"
	git archive "$commit" | tar -x -C "$work/src"
	(cd "$work/src" && GOWORK= go build -buildvcs=false -ldflags "-X crossdock.dev/platform/telemetry.version=$version" -o "$work/bin/" \
		./services/*/cmd/* ./integrations/edi/cmd/edi ./cmd/crossdock)
	[ -d "$dir/bin" ] || mv "$work/bin" "$dir/bin" # two may have built it at once
	[ $# -ge 3 ] || find "$releases" -mindepth 1 -maxdepth 1 ! -path "$dir" -exec rm -rf {} +
fi
echo "$dir/bin"
