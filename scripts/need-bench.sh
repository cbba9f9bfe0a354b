#!/usr/bin/env bash
# Sees to the programs that `make bench` measures pgchorus against, and to strace, by
# which it counts system calls.
set -euo pipefail
cd "$(dirname "$0")"

missing=()
command -v strace >/dev/null || missing+=(strace)
services=()
[ -x /usr/sbin/pgbouncer ] || command -v pgbouncer >/dev/null || services+=(pgbouncer)
[ -x /usr/sbin/pgpool ] || command -v pgpool >/dev/null || services+=(pgpool2)
missing+=("${services[@]}")
[ ${#missing[@]} -gt 0 ] || exit 0

./install-packages.sh "to measure against" "${missing[@]}"

# Only the programs are wanted: with systemd the packages have their services start
# at the next boot.
[ ${#services[@]} -gt 0 ] && command -v systemctl >/dev/null || exit 0
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
"${as_root[@]}" systemctl --quiet disable "${services[@]}" >&2
