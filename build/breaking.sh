#!/usr/bin/env bash
# Compares the contracts of this tree with those of the last release, or of the commit that is given: protos (services, facts
# and records in stores alike) by buf on wire and JSON, and the partners' OpenAPI documents by oasdiff. Fails with every
# difference that would break a caller, a reader or a store. What is only added passes.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ $# -gt 0 ]; then
	commit=$1 what=$1
else
	last=$(build/release-last.sh)
	[ -n "$last" ] || { echo "breaking: nothing was released yet, so nothing can be broken"; exit 0; }
	commit=${last#* } what="${last% *} ($commit)"
fi
build/tools.sh
build/protos.sh
(cd build/openapi && GOWORK=off go build -o ../../.cache/bin/oasdiff github.com/oasdiff/oasdiff)
then=$(mktemp -d)
trap 'rm -rf "$then"' EXIT
git archive "$commit" proto buf.yaml gen/openapi | tar -x -C "$then"
mkdir "$then/.cache" && cp -R .cache/protos "$then/.cache/protos"
failed=0
.cache/bin/buf breaking proto --against "$then/proto" || failed=1
while read -r doc; do
	if [ ! -f "$doc" ]; then
		echo "$doc: the document is gone"
		failed=1
	elif ! .cache/bin/oasdiff breaking "$then/$doc" "$doc" --flatten-allof --flatten-params --severity-levels build/openapi/severity.txt \
		--fail-on ERR --format singleline >"$then/report"; then
		grep '^error' "$then/report" || cat "$then/report"
		failed=1
	fi
done < <(cd "$then" && find gen/openapi -name '*.openapi.json' | sort)
if [ $failed -ne 0 ]; then
	echo "breaking: the contracts break those of $what. A field goes by \`reserved\`, a new meaning gets a new field, a new shape gets v2 beside v1."
	exit 1
fi
echo "breaking: nothing breaks the contracts of $what"
