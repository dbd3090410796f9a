#!/usr/bin/env bash
# Records for the README what the plugin shows, on the demo: a real API server, the operator, two
# simulated BIG-IPs. Shows no secret: of all that the demo has, only the plugin's output is recorded.
#
#   docs/recording/record.sh             plays it in this terminal
#   docs/recording/record.sh FILE.cast   records it with asciinema
#
# Needs kubectl, and asciinema for a recording. Ends the demo when it is done.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
# How long a letter takes, and how long a screen is looked at.
letter_s=${LETTER_S:-0.04}
look_s=${LOOK_S:-4}

type_and_run() {
    local command=$1 index
    printf '\033[1m$ \033[0m'
    for ((index = 0; index < ${#command}; index++)); do
        printf '%s' "${command:index:1}"
        sleep "$letter_s"
    done
    printf '\n'
    # Findings end with 1, and are what is shown.
    bash -c "$command" || [[ $? -eq 1 ]]
    sleep "$look_s"
    printf '\n'
}

play() {
    local at="$1 -n $2"
    type_and_run "kubectl bigip-tunnel status $at"
    type_and_run "kubectl bigip-tunnel fdb $at"
    type_and_run "kubectl bigip-tunnel graph $at"
    type_and_run "kubectl bigip-tunnel tree $at"
    type_and_run "kubectl bigip-tunnel explain BTN0305"
    type_and_run "kubectl bigip-tunnel suspend $at --reason CHG0012345"
    type_and_run "kubectl bigip-tunnel resume $at"
    type_and_run "kubectl bigip-tunnel reconcile $at"
}

if [[ ${1-} == --play ]]; then
    play "$2" "$3"
    exit
fi

folder=$(mktemp -d)
demo=
stop() {
    if [[ -n $demo ]]; then
        kill -INT "$demo" 2>/dev/null || true
        wait "$demo" || true
    fi
    rm -rf -- "$folder"
}
trap stop EXIT

# Built first, so that nothing is waited for that Cargo still has to say.
(cd "$root" && cargo build --quiet --package xtask)
(cd "$root" && exec cargo xtask demo --keep) >"$folder/demo" 2>"$folder/progress" &
demo=$!
# The demo says last how it is looked at.
until grep -q 'kubectl bigip-tunnel status .* -n ' <(grep -A4 'stays running' "$folder/demo"); do
    if ! kill -0 "$demo" 2>/dev/null; then
        cat "$folder/progress" >&2
        exit 1
    fi
    sleep 0.5
done
told=$(grep -A4 'stays running' "$folder/demo")
KUBECONFIG=$(sed -n 's/^ *export KUBECONFIG=//p' <<<"$told")
PATH=$(sed -n 's/^ *export PATH=\(.*\):[$]PATH$/\1/p' <<<"$told"):$PATH
export KUBECONFIG PATH
read -r name namespace < <(sed -n 's/^ *kubectl bigip-tunnel status \(.*\) -n \(.*\)$/\1 \2/p' <<<"$told")

if [[ $# -eq 0 ]]; then
    play "$name" "$namespace"
else
    asciinema rec --overwrite --title "kubectl bigip-tunnel" \
        --command "$(printf '%q ' "${BASH_SOURCE[0]}" --play "$name" "$namespace")" "$1"
fi
