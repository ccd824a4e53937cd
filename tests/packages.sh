#!/bin/sh
# Installs the Debian packages that the tests and the demo drive; when not root, says in one line what is missing.
missing=
while read -r package; do
  dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -q '^installed$' || missing="$missing $package"
done < "${0%/*}/packages.txt"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
  echo "make: these Debian packages are missing, install them as root: apt-get install$missing" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet=2 &&
# shellcheck disable=SC2086  # a list of words
apt-get install --quiet=2 --yes --no-install-recommends $missing > /dev/null
