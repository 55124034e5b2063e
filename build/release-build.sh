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
	exec 9>"$dir/lock" && flock 9 # two tests may want it at once
fi
if [ ! -d "$dir/bin" ]; then
	rm -rf "$dir/src" "$dir/part"
	mkdir -p "$dir/src" "$dir/part"
	git archive "$commit" | tar -x -C "$dir/src"
	(cd "$dir/src" && GOWORK= go build -buildvcs=false -ldflags "-X crossdock.dev/platform/telemetry.version=$version" -o "$dir/part/" \
		./services/*/cmd/* ./integrations/edi/cmd/edi ./cmd/crossdock)
	mv "$dir/part" "$dir/bin"
	rm -rf "$dir/src"
	[ $# -ge 3 ] || find "$releases" -mindepth 1 -maxdepth 1 ! -path "$dir" -exec rm -rf {} +
fi
echo "$dir/bin"
