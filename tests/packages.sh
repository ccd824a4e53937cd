#!/bin/sh
# Installs the Debian packages that the tests and the demo drive; when not root, says in one line what is missing.
# Those of unpacked.txt cannot be installed beside the others: they are unpacked into .packages/, for whoever needs no root.
here=${0%/*}
missing=
while read -r package; do
  dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -q '^installed$' || missing="$missing $package"
done < "$here/packages.txt"
if [ -n "$missing" ]; then
  if [ "$(id -u)" != 0 ]; then
    echo "make: these Debian packages are missing, install them as root: apt-get install$missing" >&2
    exit 1
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update --quiet=2 &&
  # shellcheck disable=SC2086  # a list of words
  apt-get install --quiet=2 --yes --no-install-recommends $missing > /dev/null || exit 1
fi

# In a directory beside its own, which is renamed when all is there; the sandbox of apt could not write into ours.
unpack() {
  part=$place.$$
  mkdir -p "$part" || return 1
  # shellcheck disable=SC2015  # either way the part is removed
  ( cd "$part" && apt-get download --quiet=2 -o APT::Sandbox::User=root "$1" && dpkg-deb --extract "$1"_*.deb . && rm "$1"_*.deb ) &&
    mv -T "$part" "$place" || { rm -rf "$part"; [ -d "$place" ]; }
}

while read -r package; do
  place=$here/../.packages/$package
  if [ ! -d "$place" ] && ! unpack "$package"; then
    [ "$(id -u)" != 0 ] || apt-get update --quiet=2
    unpack "$package" || { echo "make: could not download the Debian package $package: apt-get update?" >&2; exit 1; }
  fi
done < "$here/unpacked.txt"
