#!/bin/sh
# Prints the path of Chrome or Chromium for the browser tests. If there is none, it installs
# Debian's chromium as root.
set -eu

find_browser() {
	for name in chromium chromium-browser google-chrome google-chrome-stable; do
		command -v "$name" && return
	done
	for path in "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" "/Applications/Chromium.app/Contents/MacOS/Chromium"; do
		[ -x "$path" ] && echo "$path" && return
	done
	return 1
}

find_browser && exit
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	echo 'installing chromium' >&2
	apt-get update -q >&2
	apt-get install -y -q --no-install-recommends chromium fonts-noto-cjk >&2
	find_browser && exit
fi
echo 'The browser tests need Chrome or Chromium: install one (on Debian: apt-get install chromium fonts-noto-cjk).' >&2
exit 1
