#!/bin/sh
# Starts the PostgreSQL servers, then pgchorus, and waits until it answers.
set -eu
. "$(dirname "$0")/etc/cluster.sh"
cd "$dir"
become_account "$dir/startall" "$@"

if proxy_runs; then
	echo "pgchorus runs already" >&2
	exit 1
fi
pids=
for node in $nodes; do
	"$bin/pg_ctl" -D "$dir/data$node" status >/dev/null && continue
	start_node "$node" &
	pids="$pids $!"
done
for pid in $pids; do
	wait "$pid"
done

setsid "$pgchorus" -n -f "$dir/etc/pgpool.conf" >>"$dir/log/pgchorus.log" 2>&1 </dev/null &
pid=$!
tries=0
until "$bin/pg_isready" -q -h 127.0.0.1 -p "$port" -U "$superuser" -d postgres; do
	tries=$((tries + 1))
	if ! kill -0 $pid 2>/dev/null || [ $tries -gt 300 ]; then
		echo "pgchorus does not answer; its log ends:" >&2
		tail -n 10 "$dir/log/pgchorus.log" >&2
		exit 1
	fi
	sleep 0.1
done
