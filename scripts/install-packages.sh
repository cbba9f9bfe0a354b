#!/usr/bin/env bash
# Installs Debian packages: install-packages.sh REASON PACKAGE...
#
# It is called by the need-*.sh scripts, and only when something is missing. It
# asks nothing, needs no terminal, and starts no service: a server that a package
# brings along must not take a port on a developer's machine.
set -euo pipefail

readonly lock_seconds=300 # how long to wait while another program installs
reason=$1
shift

echo "pgchorus: installing $* ($reason)" >&2

if ! command -v apt-get >/dev/null; then
	echo "pgchorus: this is no Debian or Ubuntu: please install what these packages are called here: $*" >&2
	exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
	if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
		echo "pgchorus: this needs root, and sudo does not let us in without a password. Please run, as root:" >&2
		echo "    apt-get update && apt-get install $*" >&2
		exit 1
	fi
	as_root=(sudo -n)
fi

# Everything that has to be root runs in one shell, which also takes back what it
# changed for the time of the installation.
"${as_root[@]}" bash -s -- "$lock_seconds" "$@" >&2 <<'ROOT'
set -euo pipefail
lock_seconds=$1
shift
export DEBIAN_FRONTEND=noninteractive LC_ALL=C

policy=/usr/sbin/policy-rc.d
createcluster=/etc/postgresql-common/createcluster.d
undo=("$createcluster/pgchorus.conf")
restore() {
	rm -f -- "${undo[@]}"
	rmdir --ignore-fail-on-non-empty -p "$createcluster" || true
}
trap restore EXIT

# invoke-rc.d(8) asks this program before it starts a service; 101 forbids it.
if [ ! -e $policy ]; then
	undo+=($policy)
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
fi

# PostgreSQL's server package would make a cluster "main" for port 5432.
mkdir -p "$createcluster"
echo 'create_main_cluster = false' >"$createcluster/pgchorus.conf"

# apt-get waits for dpkg's lock, but not for the one on the package lists.
deadline=$((SECONDS + lock_seconds))
until update=$(apt-get update -q </dev/null 2>&1); do
	if [ "$SECONDS" -ge "$deadline" ] || [[ $update != *"Could not get lock"* ]]; then
		printf '%s\n' "$update"
		echo "pgchorus: apt-get update did not succeed; trying with the package lists that are there"
		break
	fi
	sleep 2
done
apt-get install -y -q --no-install-recommends -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout="$lock_seconds" "$@" </dev/null
ROOT
