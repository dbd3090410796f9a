#!/usr/bin/env bash
# Prints the version that this checkout is of, and fails if its files, or the tag that is given, say different ones.
#
#   delivery/version.sh [TAG]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' Cargo.toml)

# agrees WHERE VERSION
agrees() {
    if [[ $2 != "$version" ]]; then
        printf 'error: Cargo.toml says %s, %s says %s: make them the same\n' "$version" "$1" "${2:-nothing}" >&2
        exit 1
    fi
}

for chart in charts/bigip-tunnel-operator charts/bigip-tunnel-operator/charts/bigip-tunnel-crds; do
    agrees "$chart/Chart.yaml (version)" "$(sed -n 's/^version: //p' "$chart/Chart.yaml")"
    app_version=$(sed -n 's/^appVersion: "\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' "$chart/Chart.yaml")
    [[ -z $app_version ]] || agrees "$chart/Chart.yaml (appVersion)" "$app_version"
done
if [[ $# -gt 0 ]]; then
    agrees 'the tag' "${1#v}"
    grep -q "^## $version\b" CHANGELOG.md || agrees "CHANGELOG.md (a section \`## $version\`)" ""
fi
printf '%s\n' "$version"
