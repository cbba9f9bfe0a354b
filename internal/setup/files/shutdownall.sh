#!/bin/sh
# Stops pgchorus, then the PostgreSQL servers.
set -eu
. "$(dirname "$0")/etc/cluster.sh"
cd "$dir"
become_account "$dir/shutdownall" "$@"

failed=0
if proxy_runs; then
	"$pgchorus" stop -m fast -f "$dir/etc/pgpool.conf" || failed=1
fi
# All at once: a primary waits until its standbys have received everything.
pids=
for node in $nodes; do
	stop_node "$node" &
	pids="$pids $!"
done
for pid in $pids; do
	wait "$pid" || failed=1
done
exit $failed
