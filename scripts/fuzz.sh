#!/usr/bin/env bash
# Runs every fuzz target for a while, one after the other: fuzz.sh 30s
set -euo pipefail
cd "$(dirname "$0")/.."

duration=$1
grep -rlE --include='*_test.go' '^func Fuzz' . | xargs -r -n1 dirname | sort -u | while read -r package; do
	grep -hoE '^func Fuzz[A-Za-z0-9_]*' "$package"/*_test.go | sed 's/^func //' | sort | while read -r target; do
		echo "== $package $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$duration" "$package" </dev/null
	done
done
