#!/usr/bin/env bash
# Copies other people's protos, from pinned and checksummed packages, into .cache/protos (untracked) where buf finds them.
set -euo pipefail
cd "$(dirname "$0")/.."
out=.cache/protos
google_version=5.0.3
google_sha256=73a90e656be2ef3ba03fabc82bbb3b5213d29bd4ceb41e25364250d25606200c
protovalidate_version=v1.2.2
[ -f "$out/.complete-$google_version-$protovalidate_version" ] && exit 0
rm -rf "$out" && mkdir -p "$out/googleapis" "$out/protovalidate"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
(cd "$tmp" && npm pack --silent "google-proto-files@$google_version" >/dev/null)
echo "$google_sha256  $tmp/google-proto-files-$google_version.tgz" | sha256sum --check --quiet
tar -xzf "$tmp/google-proto-files-$google_version.tgz" -C "$tmp"
for f in api/annotations api/http api/field_behavior api/resource type/money type/date rpc/status rpc/error_details; do
  install -D -m 644 "$tmp/package/google/$f.proto" "$out/googleapis/google/$f.proto"
done
# The module proxy's checksum is verified against the sum database by the go command.
src=$(go mod download -json "github.com/bufbuild/protovalidate@$protovalidate_version" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
install -D -m 644 "$src/proto/protovalidate/buf/validate/validate.proto" "$out/protovalidate/buf/validate/validate.proto"
touch "$out/.complete-$google_version-$protovalidate_version"
