#!/usr/bin/env bash
# Puts Debian's promtool into the cache folder and prints the folder it is in. Unpacked and not installed: the package would start a
# Prometheus. apt checks the signature of what it fetches.
set -euo pipefail
cache="${XDG_CACHE_HOME:-$HOME/.cache}/freshet/promtool"
if [ ! -x "$cache/usr/bin/promtool" ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  # The user that apt fetches as must be able to write here.
  chmod 777 "$work"
  cd "$work"
  apt-get -qq download prometheus >&2 || { apt-get -qq update >&2 && apt-get -qq download prometheus >&2; }
  dpkg-deb --extract prometheus_*.deb unpacked
  mkdir -p "$cache"
  cp -r unpacked/. "$cache/"
fi
echo "$cache/usr/bin"
