#!/usr/bin/env bash
# Sees to the client libraries that the driver tests use:
#
#   psycopg2, psycopg, asyncpg   Debian's, for /usr/bin/python3
#   JDBC                         Debian's /usr/share/java/postgresql.jar, and a JDK
#   node-postgres                with Debian's node its package node-pg, in
#                                /usr/share/nodejs; with any other node from npm, in
#                                .cache/node/node_modules
#
# Tests call /usr/bin/python3, since the python3 on the PATH may be one that does
# not see Debian's packages, and set NODE_PATH to both places.
set -euo pipefail
cd "$(dirname "$0")"

readonly node_postgres=8.23.1
readonly node_dir=$PWD/../.cache/node

missing=()
for module in psycopg2 psycopg asyncpg; do
	/usr/bin/python3 -c "import $module" 2>/dev/null || missing+=("python3-$module")
done
command -v javac >/dev/null || missing+=(default-jdk-headless)
[ -e /usr/share/java/postgresql.jar ] || missing+=(libpostgresql-jdbc-java)
command -v psql >/dev/null || missing+=(postgresql-client)
command -v node >/dev/null || missing+=(nodejs node-pg)
if [ ${#missing[@]} -gt 0 ]; then
	./install-packages.sh "client libraries, for the driver tests" "${missing[@]}"
fi

if NODE_PATH=$node_dir/node_modules:/usr/share/nodejs node -e 'require("pg")' 2>/dev/null; then
	exit 0
fi
if ! command -v npm >/dev/null; then
	./install-packages.sh "node-postgres, for the driver tests" node-pg
	exit 0
fi
echo "pgchorus: installing node-postgres $node_postgres with npm into .cache/node" >&2
mkdir -p "$node_dir"
npm install --prefix "$node_dir" --no-save --no-package-lock --no-audit --no-fund --ignore-scripts --loglevel=error \
	"pg@$node_postgres" </dev/null >&2
