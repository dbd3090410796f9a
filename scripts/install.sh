#!/bin/sh
# Installs the plugin `kubectl bigip-tunnel` for the person who runs this, without becoming root.
#
#   install.sh [--version X.Y.Z] [--to FOLDER]
#
# Without a version it is the newest release, without a folder ~/.local/bin. What is downloaded is compared with the
# checksums of the release before anything is installed. BIGIP_TUNNEL_MIRROR names another place that has the files of
# releases, as BIGIP_TUNNEL_MIRROR/vX.Y.Z/FILE; a version is needed then.
set -eu

releases=https://github.com/bigip-tunnel/operator/releases
program=kubectl-bigip_tunnel

die() {
    printf 'error: %s\n' "$1" >&2
    exit 1
}

# fetch URL FILE
fetch() {
    curl --fail --silent --show-error --location --proto-redir =https --retry 3 --output "$2" "$1" ||
        die "$1 cannot be fetched: see whether this version exists and the network reaches it"
}

newest() {
    # The page of the newest release is at an address that ends in its tag.
    url=$(curl --fail --silent --show-error --location --output /dev/null --write-out '%{url_effective}' "$releases/latest") ||
        die "$releases is not reached: give a version and BIGIP_TUNNEL_MIRROR"
    case $url in
    */tag/v*) printf '%s\n' "${url##*/tag/v}" ;;
    *) die "no release is published yet: build the plugin with cargo" ;;
    esac
}

platform() {
    case $(uname -s) in
    Linux) system=linux ;;
    Darwin) system=darwin ;;
    *) die "there is no program for $(uname -s) here: on Windows use krew, or unpack the archive of the release" ;;
    esac
    case $(uname -m) in
    x86_64 | amd64) machine=amd64 ;;
    aarch64 | arm64) machine=arm64 ;;
    *) die "there is no program for $(uname -m): build the plugin with cargo" ;;
    esac
    printf '%s-%s\n' "$system" "$machine"
}

# sha256 FILE
sha256() {
    if command -v sha256sum >/dev/null; then
        sum=$(sha256sum "$1")
    elif command -v shasum >/dev/null; then
        sum=$(shasum -a 256 "$1")
    else
        die 'neither sha256sum nor shasum is there: install one, nothing is installed unchecked'
    fi
    printf '%s\n' "${sum%% *}"
}

main() {
    version='' folder=${HOME:-}/.local/bin
    while [ $# -gt 0 ]; do
        case $1 in
        --version | --to) [ $# -ge 2 ] || die "$1 needs a value" ;;
        esac
        case $1 in
        --version) version=${2#v} && shift 2 ;;
        --to) folder=$2 && shift 2 ;;
        *) die "$1 is not known: it is --version X.Y.Z and --to FOLDER" ;;
        esac
    done
    command -v curl >/dev/null || die 'curl is not there: install it'
    if [ -z "$version" ]; then
        [ -z "${BIGIP_TUNNEL_MIRROR:-}" ] || die 'with BIGIP_TUNNEL_MIRROR, --version is needed'
        version=$(newest)
    fi

    base=${BIGIP_TUNNEL_MIRROR:-$releases/download}/v$version
    archive=$program-v$version-$(platform).tar.gz
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    fetch "$base/$archive" "$work/$archive"
    fetch "$base/SHA256SUMS" "$work/SHA256SUMS"
    wanted=$(awk -v name="$archive" '$2 == name || $2 == "*" name { print $1 }' "$work/SHA256SUMS")
    [ -n "$wanted" ] || die "SHA256SUMS of v$version does not name $archive: nothing is installed"
    found=$(sha256 "$work/$archive")
    [ "$found" = "$wanted" ] || die "$archive has the checksum $found, the release says $wanted: nothing is installed"

    tar -xzf "$work/$archive" -C "$work" "$program"
    mkdir -p "$folder"
    # Moved into place whole: a running plugin is not written over.
    cp "$work/$program" "$folder/.$program.new"
    chmod 0755 "$folder/.$program.new"
    mv "$folder/.$program.new" "$folder/$program"
    printf 'installed %s %s\n' "$folder/$program" "$version"
    case :$PATH: in
    *":$folder:"*) printf 'try: kubectl bigip-tunnel check --pre\n' ;;
    *) printf 'kubectl finds it once %s is on your PATH\n' "$folder" ;;
    esac
}

# Last, so that half a script that was cut off on its way does nothing.
main "$@"
