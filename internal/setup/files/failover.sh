#!/bin/sh
# failover_command: promotes the new main node when the node that failed was the primary.
set -eu
. "$(dirname "$0")/cluster.sh"

failed_node=$1 new_main=$5 old_primary=$8 new_main_data=${10}
{
	echo "$(date '+%F %T') node $failed_node failed; the primary was $old_primary, the new main node is $new_main"
	if [ "$failed_node" != "$old_primary" ]; then
		echo "a standby: nothing to do"
	elif [ "$new_main" -lt 0 ]; then
		echo "no node is left to promote"
	else
		"$bin/pg_ctl" -D "$new_main_data" -t 60 -w promote
	fi
} >>"$dir/log/failover.log" 2>&1
