#!/bin/sh
# Installs Debian's PostgreSQL as root, for the tests, unless one is there.
set -eu

find_postgres() {
	for bin in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql@*/bin /usr/local/opt/postgresql@*/bin; do
		[ -x "$bin/initdb" ] && return
	done
	command -v initdb >/dev/null
}

find_postgres && exit
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	echo 'installing postgresql' >&2
	mkdir -p /etc/postgresql-common
	# The tests start servers of their own: no server of the machine is made.
	[ -e /etc/postgresql-common/createcluster.conf ] || echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
	apt-get update -q >&2
	apt-get install -y -q --no-install-recommends postgresql >&2
	find_postgres && exit
fi
echo 'The tests need PostgreSQL: install it (on Debian: apt-get install postgresql).' >&2
exit 1
