#!/bin/sh
# everywhere 'STATEMENTS': defines tables on all nodes and has the subscribers
# subscribe to them. Rows come by replication: insert them through pgchorus, afterwards.
set -eu
. "$(dirname "$0")/etc/cluster.sh"
cd "$dir"
[ $# = 1 ] || { echo "usage: everywhere 'CREATE TABLE ...'" >&2; exit 1; }
become_account "$dir/everywhere" "$@"

# Subscribers first: rows for a table that is not there would stop the subscription.
for node in $nodes; do
	[ "$node" = 0 ] || sql_on "$node" "$database" "$1"
done
sql_on 0 "$database" "$1"
for node in $nodes; do
	[ "$node" = 0 ] || sql_on "$node" "$database" "ALTER SUBSCRIPTION node$node REFRESH PUBLICATION"
done
