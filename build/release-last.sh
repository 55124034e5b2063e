#!/usr/bin/env bash
# Prints version and commit of the last release, the first row of the table in RELEASES.md; nothing when there is none yet.
# Fails when this clone does not hold the commit.
set -euo pipefail
cd "$(dirname "$0")/.."
row=$(sed -n 's/^| \(v[0-9][^ |]*\) | [0-9-]* | `\([0-9a-f]\{40\}\)` |.*/\1 \2/p' RELEASES.md | head -n 1)
[ -n "$row" ] || exit 0
commit=${row#* }
if ! git cat-file -e "$commit^{commit}" 2>/dev/null; then
	echo "commit $commit of release ${row% *} is not in this clone. Fetch it with" >&2
	echo "    git fetch --depth=1 origin $commit" >&2
	echo "or, where the server gives no single commits, git fetch --unshallow origin" >&2
	exit 1
fi
echo "$row"
