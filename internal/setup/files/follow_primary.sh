#!/bin/sh
# follow_primary_command: makes a node follow the new primary. One that does not run,
# such as the old primary, is left to an operator and rejoin.
set -eu
. "$(dirname "$0")/cluster.sh"

node=$1
{
	if "$bin/pg_ctl" -D "$dir/data$node" status >/dev/null; then
		echo "$(date '+%F %T') node $node is to follow node $5"
		"$dir/rejoin" "$node"
	else
		echo "$(date '+%F %T') node $node does not run: nothing to do"
	fi
} >>"$dir/log/failover.log" 2>&1
