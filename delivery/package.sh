#!/usr/bin/env bash
# Makes the files of a release from programs that were built: archives, manifests, checksums.
#
#   delivery/package.sh VERSION DIST OUT [REVISION-TIME]
#
# DIST/OS-ARCH/ holds the programs of a platform, DIST/THIRD-PARTY-LICENSES.txt what `cargo xtask licences` writes. The same programs give the same archives, byte for byte: names are
# sorted, owners are nobody, the time is that of the commit. Needs GNU tar.
set -euo pipefail

version=$1 dist=$2 out=$3
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
time_s=${4:-$(git -C "$root" log -1 --format=%ct)}
repository=https://github.com/bigip-tunnel/operator
base_url="$repository/releases/download/v$version"
plugin=kubectl-bigip_tunnel
operator=bigip-tunnel-operator

die() {
    printf 'error: %s\n' "$1" >&2
    exit 1
}

tar --version 2>/dev/null | grep -q 'GNU tar' || die 'GNU tar is needed: other programs do not make the same bytes twice'

licences=$dist/THIRD-PARTY-LICENSES.txt
[[ -s $licences ]] || die "no $licences: cargo xtask licences --output $licences"

# archive PROGRAM PLATFORM: one program and the licences, as krew, Homebrew and people want it.
archive() {
    local program=$1 platform=$2 suffix="" folder=$work/archive
    [[ $platform == windows-* ]] && suffix=.exe
    [[ -f $dist/$platform/$program$suffix ]] || die "no $dist/$platform/$program$suffix: build it first"
    mkdir "$folder"
    install -m 0755 "$dist/$platform/$program$suffix" "$folder/$program$suffix"
    install -m 0644 "$root/LICENSE" "$licences" "$folder"
    tar --create --directory "$folder" --sort=name --mtime="@$time_s" --owner=0 --group=0 --numeric-owner \
        --format=ustar LICENSE THIRD-PARTY-LICENSES.txt "$program$suffix" | gzip --no-name -9 >"$out/$program-v$version-$platform.tar.gz"
    rm -r "$folder"
}

# checksum PLATFORM: of the plugin's archive.
checksum() {
    sha256sum "$out/$plugin-v$version-$1.tar.gz" | cut -d ' ' -f 1
}

# fill TEMPLATE FILE: puts version, address and checksums in. A word that is left over is a mistake.
fill() {
    local text platform name
    text=$(<"$1")
    text=${text//@VERSION@/$version}
    text=${text//@BASE_URL@/$base_url}
    for platform in "${platforms[@]}"; do
        name=${platform^^}
        text=${text//@SHA256_${name//-/_}@/$(checksum "$platform")}
    done
    if grep -n '@[A-Z0-9_]*@' <<<"$text" >&2; then
        die "$1 asks for what this release does not have"
    fi
    printf '%s\n' "$text" >"$2"
}

platforms=(linux-amd64 linux-arm64 darwin-amd64 darwin-arm64 windows-amd64 windows-arm64)
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for platform in "${platforms[@]}"; do
    archive "$plugin" "$platform"
    # The operator runs in a cluster, and on a developer's machine; it waits for signals that Windows does not have.
    [[ $platform == windows-* ]] || archive "$operator" "$platform"
done
fill "$root/delivery/krew/bigip-tunnel.yaml" "$out/bigip-tunnel.yaml"
fill "$root/delivery/homebrew/kubectl-bigip-tunnel.rb" "$out/kubectl-bigip-tunnel.rb"
install -m 0644 "$root/config/default/install.yaml" "$root/crds/bigiptunnels.bigip-tunnel.dev.yaml" "$out"
install -m 0755 "$root/scripts/install.sh" "$out"
# Of everything that lies there, also what came before: the packaged chart and the lists of parts.
rm -f "$out/SHA256SUMS"
sums=$(cd "$out" && sha256sum -- *)
printf '%s\n' "$sums" >"$out/SHA256SUMS"
