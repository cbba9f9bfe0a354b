#!/usr/bin/env bash
# Sees to PostgreSQL's own test suites, of the very version of the server that is
# installed, and prints the folder that holds them:
#
#   src/test/{regress,isolation}  out of Debian's source package
#   regress.so                    made of src/test/regress/regress.c
#   lib                           the libraries that the tests load, in one folder
#
# Nothing of the system is changed: the list of source packages and the headers of
# postgresql-server-dev are kept in that folder too, which is /var/cache/pgchorus for
# root (the tests run as another user then, who must be able to look into it), and
# otherwise in the user's cache.
set -euo pipefail
cd "$(dirname "$0")"

base=${XDG_CACHE_HOME:-$HOME/.cache}/pgchorus
[ "$(id -u)" -ne 0 ] || base=/var/cache/pgchorus

# The newest server, as internal/localpg chooses it.
bindir=$(for dir in /usr/lib/postgresql/*/bin; do [ -x "$dir/postgres" ] && echo "$dir"; done | sort -V | tail -1)
if [ -z "$bindir" ] || ! command -v apt-get >/dev/null; then
	echo "pgchorus: PostgreSQL's suites are taken from Debian's source package, which needs Debian's server" >&2
	exit 1
fi
major=$(basename "$(dirname "$bindir")")
version=$(dpkg-query -W -f '${Version}' "postgresql-$major")
dir=$base/regress/$version

for program in pg_regress pg_isolation_regress isolationtester; do
	[ -n "$(find "$(dirname "$bindir")/lib/pgxs" -name $program)" ] || {
		echo "pgchorus: $program does not come with the server of $bindir" >&2
		exit 1
	}
done

./need-compiler.sh
command -v dpkg-source >/dev/null || ./install-packages.sh "to unpack PostgreSQL's suites" dpkg-dev
[ -e /usr/include/postgresql/libpq-fe.h ] || ./install-packages.sh "to compile PostgreSQL's test library" libpq-dev

# private runs apt-get with lists of its own, in which there are sources.
private() {
	apt-get -q -o Dir::Etc::SourceList="$dir/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::State::Lists="$dir/apt/lists" -o Dir::Cache="$dir/apt/cache" -o APT::Sandbox::User="$(id -un)" "$@" >&2
}

# sources writes the list: the archives of Debian that the system uses, for sources too.
sources() {
	local key=/usr/share/keyrings/debian-archive-keyring.gpg
	apt-get indextargets --format '$(ORIGIN) $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' | sort -u |
		while read -r origin uri suite component; do
			[ "$origin" = Debian ] || continue
			echo "deb [signed-by=$key] $uri $suite $component"
			echo "deb-src [signed-by=$key] $uri $suite $component"
		done
}

if [ ! -e "$dir/src" ]; then
	echo "pgchorus: fetching the source of postgresql-$major $version into $dir" >&2
	mkdir -p "$dir/apt/lists/partial" "$dir/apt/cache/archives/partial"
	sources >"$dir/apt/sources.list"
	private update
	(cd "$dir" && private --download-only source "postgresql-$major=$version" &&
		private download "postgresql-server-dev-$major=$version")
	rm -rf "$dir/headers" "$dir/unpacked"
	dpkg-deb -x "$dir"/postgresql-server-dev-*.deb "$dir/headers"
	dpkg-source --no-check -x "$dir"/*.dsc "$dir/unpacked" >/dev/null 2>&1
	mv "$dir/unpacked" "$dir/src"
fi

if [ ! -e "$dir/lib/regress.so" ]; then
	mkdir -p "$dir/lib"
	cp "$(dirname "$bindir")"/lib/{autoinc,refint}.so "$dir/lib"
	"$(go env CC)" -O2 -fPIC -shared -w -fno-strict-aliasing -fwrapv \
		-I"$dir/headers/usr/include/postgresql/$major/server" -I/usr/include/postgresql \
		-o "$dir/lib/.regress.so" "$dir/src/src/test/regress/regress.c"
	mv "$dir/lib/.regress.so" "$dir/lib/regress.so"
fi
chmod -R go+rX "$base/regress"
echo "$dir"
