#!/usr/bin/env bash
# Sees to PostgreSQL's server programs, with pgbench and the contributed
# extensions, as Debian packages them. The same places are searched by
# internal/localpg.
set -euo pipefail
cd "$(dirname "$0")"

# programs prints the folders that have a server.
programs() {
	local dir
	for dir in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin "$(pg_config --bindir 2>/dev/null || true)"; do
		if [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ]; then
			echo "$dir"
		fi
	done
}

if [ -z "$(programs)" ]; then
	./install-packages.sh "PostgreSQL servers, for the demo and the tests" postgresql postgresql-contrib
fi
if [ -z "$(programs)" ]; then
	echo "pgchorus: PostgreSQL's server programs are still not there" >&2
	exit 1
fi
if ! command -v pgbench >/dev/null && [ ! -x "$(programs | tail -1)/pgbench" ]; then
	./install-packages.sh "pgbench" postgresql-contrib
fi
