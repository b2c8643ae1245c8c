#!/bin/sh
# Checks that Python 3.9 and PHP 8.0, or newer, are there for the tests of the samples. As root on
# Debian it installs what is missing.
set -eu

missing() {
	python3 -c 'import sqlite3, sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null || echo python3
	php -r 'exit((int) (PHP_VERSION_ID < 80000));' 2>/dev/null || echo php-cli
}

packages=$(missing)
[ -n "$packages" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	echo "installing" $packages >&2
	apt-get update -q >&2
	apt-get install -y -q --no-install-recommends $packages >&2
	packages=$(missing)
	[ -n "$packages" ] || exit 0
fi
echo "The tests of the samples need Python 3.9 and PHP 8.0 or newer: install" $packages >&2
exit 1
