#!/usr/bin/env bash
# Sees to the programs that `make bench` measures pgchorus against.
set -euo pipefail
cd "$(dirname "$0")"

missing=()
[ -x /usr/sbin/pgbouncer ] || command -v pgbouncer >/dev/null || missing+=(pgbouncer)
[ -x /usr/sbin/pgpool ] || command -v pgpool >/dev/null || missing+=(pgpool2)
[ ${#missing[@]} -gt 0 ] || exit 0

./install-packages.sh "to measure against" "${missing[@]}"

# Only the programs are wanted: with systemd the packages have their services start
# at the next boot.
command -v systemctl >/dev/null || exit 0
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
"${as_root[@]}" systemctl --quiet disable "${missing[@]}" >&2
