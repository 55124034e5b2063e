#!/bin/bash
# Builds the Consul agent that development and tests use into a cache outside the tree, and prints where it is. The agent is a
# tool: nothing of it is linked into what we ship. Its module stands alone, outside go.work. Minutes the first time, nothing after.
# With --cached it builds nothing, and fails when there is none.
set -euo pipefail
cd "$(dirname "$0")/consul"
sum=$(cat go.mod go.sum | sha256sum | cut -c1-12)
dir=${CROSSDOCK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/crossdock}/consul-$sum
if [ ! -x "$dir/consul" ]; then
	[ "${1:-}" != --cached ] || exit 1
	mkdir -p "$dir"
	echo "building the Consul agent into $dir, some minutes on two cores" >&2
	GOWORK=off CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o "$dir/consul.part" github.com/hashicorp/consul
	mv "$dir/consul.part" "$dir/consul"
fi
echo "$dir/consul"
