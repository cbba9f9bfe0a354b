#!/bin/sh
# Has pgchorus read its configuration again.
set -eu
. "$(dirname "$0")/etc/cluster.sh"
cd "$dir"
become_account "$dir/pgpool_reload" "$@"
exec "$pgchorus" reload -f "$dir/etc/pgpool.conf"
