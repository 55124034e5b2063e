#!/usr/bin/env bash
# Writes the row of a release into RELEASES.md: the commit is the one that is checked out now, so the row itself is in the
# commit after it. Tags do not travel, so the table is the only record. RELEASES.md must hold the version's notes already.
#
#	build/release.sh v0.1.0 "first release"
set -euo pipefail
cd "$(dirname "$0")/.."
version=${1:?version, such as v0.1.0} what=${2:?what, in a few words}
refuse() { echo "release: $1" >&2; exit 1; }
[[ $version =~ ^v[0-9]+\.[0-9]+\.[0-9]+$ ]] || refuse "$version: want vMAJOR.MINOR.PATCH"
[[ $what != *'|'* ]] || refuse "the description stands in a table: no |"
! grep -q "^| $version |" RELEASES.md || refuse "$version was released already"
grep -q "^## $version\$" RELEASES.md || refuse "RELEASES.md has no notes for $version; write them under '## $version' and commit them first"
[ -z "$(git status --porcelain)" ] || refuse "something is not committed; what is released is a commit"
build/breaking.sh
commit=$(git rev-parse HEAD)
row="| $version | $(date -u +%F) | \`$commit\` | $what |"
new=$(mktemp)
trap 'rm -f "$new"' EXIT
ROW=$row awk '{ print } /^\|---/ && !done { print ENVIRON["ROW"]; done = 1 }' RELEASES.md >"$new"
cat "$new" >RELEASES.md
[ "$(build/release-last.sh)" = "$version $commit" ] || refuse "RELEASES.md has no table to write into"
echo "$row"
echo "now: git commit -m 'release $version' RELEASES.md"
