#!/bin/sh
# Builds the programs of a release for one target of Rust: for Linux static ones, in any case with the list of their
# crates inside (`cargo audit bin PROGRAM` and scanners of images read it).
#
#   BIGIP_TUNNEL_COMMIT=… delivery/build.sh TARGET FOLDER
#
# Needs cargo-auditable and the target's standard library.
set -eu

target=$1 folder=$2
: "${BIGIP_TUNNEL_COMMIT:?the commit that is built has to be told}"
plugin=kubectl-bigip_tunnel operator=bigip-tunnel-operator suffix=''
cd "$(dirname "$0")/.."

# The folders of the build machine are kept out of the programs: the same source shall give the same bytes.
RUSTFLAGS="${RUSTFLAGS:-} --remap-path-prefix=$(pwd)=. --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo"
export RUSTFLAGS

set -- --package kubectl-bigip-tunnel --bin "$plugin"
programs=$plugin
case $target in
*windows*) suffix=.exe ;; # The operator waits for signals that Windows does not have.
*)
    set -- "$@" --package bigip-tunnel-operator --bin "$operator"
    programs="$plugin $operator"
    ;;
esac
cargo auditable build --release --locked --target "$target" "$@"

mkdir -p "$folder"
for program in $programs; do
    built=${CARGO_TARGET_DIR:-target}/$target/release/$program$suffix
    case $target in
    *-musl)
        if readelf --dynamic "$built" | grep NEEDED >&2; then
            printf 'error: %s needs these libraries: it has to be static\n' "$program" >&2
            exit 1
        fi
        ;;
    esac
    cp "$built" "$folder/"
done
