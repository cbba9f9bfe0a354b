#!/usr/bin/env bash
# Sees to a C compiler: PostgreSQL's own parser (pg_query) is C, and Go's race
# detector needs one too.
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v go >/dev/null; then
	echo "pgchorus: go is not on the PATH: please install the version that go.mod names" >&2
	exit 1
fi
if ! command -v "$(go env CC)" >/dev/null || ! echo '#include <stdlib.h>' | "$(go env CC)" -E - >/dev/null 2>&1; then
	./install-packages.sh "a C compiler, for PostgreSQL's parser" gcc libc6-dev
fi
