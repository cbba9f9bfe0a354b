#!/usr/bin/env bash
# Prints the packages that `make race` tests: those with tests that do without
# pg_query, whose C code would have to be compiled again for the race detector,
# for minutes.
set -euo pipefail
cd "$(dirname "$0")/.."

go list -test -f '{{.ImportPath}} {{join .Deps " "}}' ./... |
	awk '$1 ~ /\.test$/ && !/pganalyze\/pg_query_go/ { sub(/\.test$/, "", $1); print $1 }'
