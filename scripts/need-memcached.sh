#!/usr/bin/env bash
# Sees to memcached, which the tests of the shared query cache start. Debian's package
# also brings a service of that name, which is neither started nor used.
set -euo pipefail
cd "$(dirname "$0")"

command -v memcached >/dev/null && exit 0
./install-packages.sh "a memcached, for the tests of the query cache" memcached
# With systemd the package has its service start at the next boot.
command -v systemctl >/dev/null || exit 0
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
"${as_root[@]}" systemctl --quiet disable memcached >&2
