#!/usr/bin/env bash
# Sees to the programs that `make bench` measures pgchorus against.
set -euo pipefail
cd "$(dirname "$0")"

missing=()
[ -x /usr/sbin/pgbouncer ] || command -v pgbouncer >/dev/null || missing+=(pgbouncer)
[ -x /usr/sbin/pgpool ] || command -v pgpool >/dev/null || missing+=(pgpool2)
if [ ${#missing[@]} -gt 0 ]; then
	./install-packages.sh "to measure against" "${missing[@]}"
fi
