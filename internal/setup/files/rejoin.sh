#!/bin/sh
# rejoin NODE: makes the node a standby of the present primary, whatever it was, and
# takes it into service again. What only this node has is lost.
set -eu
. "$(dirname "$0")/etc/cluster.sh"
cd "$dir"
[ $# = 1 ] || { echo "usage: rejoin NODE" >&2; exit 1; }
become_account "$dir/rejoin" "$@"

node=$1
case " $nodes " in
*" $node "*) ;;
*) echo "there is no node $node; there are $nodes" >&2; exit 1 ;;
esac

# The present primary is the one other node that is not a standby.
primary=
for other in $nodes; do
	[ "$other" != "$node" ] || continue
	if [ "$(sql_on "$other" postgres 'SELECT pg_is_in_recovery()' 2>/dev/null)" = f ]; then
		[ -z "$primary" ] || { echo "nodes $primary and $other are both primaries: stop the wrong one first" >&2; exit 1; }
		primary=$other
	fi
done
[ -n "$primary" ] || { echo "no other node is a primary" >&2; exit 1; }

data=$dir/data$node
from="host=127.0.0.1 port=$((node_port + primary)) user=$superuser password=$superuser application_name=node$node"
kept=$(mktemp -d "$dir/run/rejoin.XXXXXX")
trap 'rm -rf "$kept"' EXIT
cp -p "$data/postgresql.conf" "$data/pg_hba.conf" "$kept"

# What the primary has brought along of its own is replaced, then the node is started.
start_standby() {
	rm -rf "$data"/pg_replslot/*
	cp -p "$kept/postgresql.conf" "$kept/pg_hba.conf" "$data"
	cat >"$data/standby.conf" <<-END
		# node $node streams from node $primary
		primary_conninfo = '$from'
		primary_slot_name = 'node$node'
	END
	touch "$data/standby.signal"
	start_node "$node"
}

# pg_rewind recovers a killed primary by itself, but not a killed standby.
rewind() {
	if [ -e "$data/standby.signal" ]; then
		start_node "$node" || return 1
	fi
	stop_node "$node" && "$bin/pg_rewind" --target-pgdata="$data" --source-server="$from dbname=postgres"
}

copy() {
	stop_node "$node"
	"$bin/pg_basebackup" --pgdata="$kept/data" --dbname="$from" --checkpoint=fast --slot="node$node"
	rm -rf "$data"
	mv "$kept/data" "$data"
}

stop_node "$node"
sql_on "$primary" postgres "SELECT pg_create_physical_replication_slot('node$node', true)
	WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = 'node$node')" >/dev/null
# pg_rewind sees a promotion only after a checkpoint.
sql_on "$primary" postgres CHECKPOINT
if ! rewind || ! start_standby; then
	echo "node $node cannot be rewound: copying the primary"
	copy
	start_standby
fi
if proxy_runs; then
	"$pgchorus" node attach "$node" -f "$dir/etc/pgpool.conf"
fi
echo "node $node is a standby of node $primary"
