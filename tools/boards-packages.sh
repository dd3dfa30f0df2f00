#!/bin/sh
# Installs what the emulated boards need on Debian 12: image building tools and cross compilers from main, QEMU 10 and
# OpenSBI from bookworm-backports (7.2 of main does not honour the :u filter). Run as root; safe to run again.
set -eu

main_packages="qemu-user gcc libc6-dev make mmdebstrap e2fsprogs cpio xz-utils zstd debian-archive-keyring
    gcc-riscv64-linux-gnu gcc-aarch64-linux-gnu libc6-dev-riscv64-cross libc6-dev-arm64-cross"
# These alone, with what they share: apt's -t would draw qemu-user along, whose later builds can't load plugins.
backports_packages="qemu-system-riscv qemu-system-arm qemu-system-common qemu-system-data opensbi"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
source_file=/etc/apt/sources.list.d/hwprof-backports.sources

say() { echo "boards-packages: $*" >&2; }

codename() { . /etc/os-release && echo "${VERSION_CODENAME:-}"; }

# A mirror may answer 5xx or drop a connection now and then: three attempts, each of which apt resumes.
attempt() {
    for pause in 3 10 0; do
        if "$@"; then return 0; fi
        [ "$pause" = 0 ] || { say "retrying: $*"; sleep "$pause"; }
    done
    say "failed three times: $*"
    return 1
}

apt() { DEBIAN_FRONTEND=noninteractive apt-get -q -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 "$@"; }

# The mirror that apt already uses for this release: it is the one that is known to be reachable.
mirror() {
    apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' \
        | sed -n "s/ $release\$//p" | head -n 1
}

have_backports() {
    apt-get indextargets --format '$(RELEASE)' 'Created-By: Packages' | grep -qx "$release-backports"
}

missing() {
    for name; do
        dpkg-query -W -f '${Status}\n' "$name" 2>/dev/null | grep -q ' installed$' || printf ' %s' "$name"
    done
}

from() { # from RELEASE PACKAGE...
    suite=$1
    shift
    printf " %s/$suite" "$@"
}

old_qemu() {
    for name in qemu-system-riscv qemu-system-arm; do
        version=$(dpkg-query -W -f '${Version}' "$name" 2>/dev/null || true)
        if [ -z "$version" ] || dpkg --compare-versions "$version" lt 1:10.0; then return 0; fi
    done
    return 1
}

release=$(codename)
# shellcheck disable=SC2086  # lists of words
main_missing=$(missing $main_packages)
if [ -z "$main_missing" ] && ! old_qemu; then
    say "everything is installed"
    exit 0
fi
[ "$(id -u)" = 0 ] || { say "needs root: sudo $0"; exit 2; }

attempt apt update # without its lists, as in a fresh container, apt can't name its sources
case $release in
bookworm)
    if ! have_backports; then
        uri=$(mirror)
        [ -n "$uri" ] || { say "apt has no Debian source for $release; add one to /etc/apt/sources.list.d"; exit 2; }
        printf 'Types: deb\nURIs: %s\nSuites: %s-backports\nComponents: main\nSigned-By: %s\n' \
            "${uri%/}" "$release" "$keyring" >"$source_file"
        say "added $release-backports from ${uri%/} ($source_file)"
        attempt apt update
    fi
    target=$release-backports
    ;;
trixie) target=$release ;;
*)
    say "this is '$release'; the package names below are those of Debian 12 and 13"
    target=$release
    ;;
esac

# shellcheck disable=SC2086
[ -z "$main_missing" ] || attempt apt install -y --no-install-recommends $main_missing
# shellcheck disable=SC2086
! old_qemu || attempt apt install -y --no-install-recommends $(from "$target" $backports_packages)
! old_qemu || { say "QEMU 10 was not found in $target"; exit 1; }
say "ready"
