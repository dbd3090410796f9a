#!/usr/bin/env bash
# From nothing to tunnels that are Ready on a real cluster: kind with Cilium, the image and the chart of this checkout,
# two simulated BIG-IPs as pods. Then the bodies of the integration tests on the same API server.
#
#   tests/e2e/kind.sh [--keep]
#
# Needs docker, kind, kubectl, helm, curl, jq, cargo, and the internet for images and the chart of Cilium. --keep leaves
# the cluster for a look; without it, it is removed at the end, also after a failure.
#
# Simulated devices answer iControl REST and carry no traffic: that pods are reached is not shown here. No machine with
# containers has run this yet; the second half was run against another API server than the one of the suite.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# The releases that this is for.
node_image=kindest/node:v1.35.0
cilium_version=1.18.4

cluster=bigip-tunnel-e2e
namespace=bigip
tunnel=prod-east
devices=(bigip-a bigip-b)
image=bigip-tunnel/operator:e2e
simulator_image=bigip-tunnel/simulator:e2e
# The integration tests that share one API server and look at their own namespace only. Others own a control plane,
# since they are about all nodes of a cluster, or break it.
suite=(converge:: ownership:: drift:: devices:: pausing:: saving:: sessions:: tls:: former:: sharing::)

keep=false
case ${1:-} in
"") ;;
--keep) keep=true ;;
*) echo "error: $1 is not known: it is --keep or nothing" >&2 && exit 2 ;;
esac

work=$(mktemp -d)
export KUBECONFIG=$work/kubeconfig
forwards=()

clean_up() {
    local code=$?
    if [[ $code -ne 0 ]]; then
        kubectl get nodes,pods,bigiptunnels --all-namespaces >&2 || true
        kubectl logs --namespace bigip-system --selector app.kubernetes.io/name=bigip-tunnel-operator --tail 60 >&2 || true
    fi
    [[ ${#forwards[@]} -eq 0 ]] || kill "${forwards[@]}" 2>/dev/null || true
    if $keep; then
        say "kept: export KUBECONFIG=$KUBECONFIG; kind delete cluster --name $cluster removes it"
    else
        kind delete cluster --name "$cluster" || true
        rm -rf "$work"
    fi
    exit "$code"
}

say() {
    printf -- '--- %s\n' "$*" >&2
}

# until_true SECONDS WHAT COMMAND…
until_true() {
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        if ((SECONDS >= end)); then
            echo "error: not in time: $what" >&2
            return 1
        fi
        sleep 1
    done
    say "$what"
}

plugin() {
    "$PWD/target/release/kubectl-bigip_tunnel" "$@"
}

build() {
    say 'building the programs and the images'
    cargo build --release --locked --package kubectl-bigip-tunnel --bin kubectl-bigip_tunnel \
        --package bigip-sim --bin bigip-sim
    docker build --quiet --tag "$image" --build-arg COMMIT="$(git rev-parse HEAD)" .
    mkdir "$work/simulator"
    cp target/release/bigip-sim "$work/simulator/"
    # The program was linked on this machine: the base is to have a C library that is no older.
    docker build --quiet --tag "$simulator_image" --file - "$work/simulator" <<'DOCKERFILE'
FROM debian:trixie-slim
COPY bigip-sim /bigip-sim
USER 65532:65532
ENTRYPOINT ["/bigip-sim"]
DOCKERFILE
}

create_cluster() {
    say 'a cluster with Cilium'
    kind create cluster --name "$cluster" --image "$node_image" --config - <<'CONFIG'
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
networking: {disableDefaultCNI: true}
nodes: [{role: control-plane}, {role: worker}, {role: worker}]
CONFIG
    # What the tunnel of a BIG-IP is to Cilium: an endpoint for a network behind it. The address is of documentation.
    helm install cilium cilium --repo https://helm.cilium.io --version "$cilium_version" --namespace kube-system \
        --set ipam.mode=kubernetes --set operator.replicas=1 --set vtep.enabled=true \
        --set vtep.endpoint=192.0.2.11 --set vtep.cidr=198.51.100.0/24 --set vtep.mask=255.255.255.0 \
        --set vtep.mac=82:36:4c:98:2e:56 --wait --timeout 10m
    kubectl wait nodes --all --for=condition=Ready --timeout=5m
    kind load docker-image --name "$cluster" "$image" "$simulator_image"
}

# A device: a pod. It listens on every address of the pod, as port-forward needs it, so its certificate is good for the
# name localhost.
start_device() {
    local name=$1 mac=$2
    kubectl apply --namespace "$namespace" --filename - <<POD
apiVersion: v1
kind: Pod
metadata: {name: $name, labels: {app: bigip-sim}}
spec:
  containers:
    - name: bigip-sim
      image: $simulator_image
      args:
        - --listen=0.0.0.0:8443
        - --management-ip=\$(POD_IP)
        - --hostname=$name.lab.local
        - --base-mac=$mac
        - --password-file=/login/password
        - --tunnel=/Common/flannel_vxlan
        - --local-address=10.169.72.34
      env: [{name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]
      volumeMounts: [{name: login, mountPath: /login, readOnly: true}]
  volumes: [{name: login, secret: {secretName: bigip-login}}]
POD
}

create_devices() {
    say 'two simulated BIG-IPs'
    kubectl create namespace "$namespace"
    head -c 18 /dev/urandom | base64 | tr -d '\n' >"$work/password"
    kubectl create secret generic bigip-login --namespace "$namespace" \
        --from-literal=username=admin --from-file=password="$work/password"
    start_device "${devices[0]}" 00:0c:29:35:0d:b1
    start_device "${devices[1]}" 00:0c:29:35:0d:b2
    kubectl wait pods --namespace "$namespace" --selector app=bigip-sim --for=condition=Ready --timeout=2m
    for device in "${devices[@]}"; do
        until_true 30 "$device listens" has_announced "$device"
        jq --raw-output .ca "$work/$device.json" >>"$work/ca.crt"
        jq --raw-output .ca "$work/$device.json" >"$work/$device.crt"
    done
    kubectl create configmap bigip-ca --namespace "$namespace" --from-file=ca.crt="$work/ca.crt"
}

has_announced() {
    kubectl logs --namespace "$namespace" "$1" | head -n 1 >"$work/$1.json"
    jq --exit-status .ca "$work/$1.json" >/dev/null 2>&1
}

install_operator() {
    say 'the operator, from its chart'
    helm install bigip-tunnel-operator charts/bigip-tunnel-operator --namespace bigip-system --create-namespace \
        --set "watchNamespaces={$namespace}" --set image.repository="${image%:*}" --set image.tag="${image#*:}" \
        --set image.pullPolicy=Never --wait --timeout 3m
    helm test bigip-tunnel-operator --namespace bigip-system
}

create_tunnel() {
    local spec='' device address allowed=''
    for device in "${devices[@]}"; do
        address=$(kubectl get pod --namespace "$namespace" "$device" --output jsonpath='{.status.podIP}')
        spec+="    - {name: $device, address: $address, port: 8443}"$'\n'
        allowed+="${allowed:+,}$address:8443"
    done
    kubectl annotate secret bigip-login --namespace "$namespace" "bigip-tunnel.dev/allowed-addresses=$allowed"
    kubectl apply --filename - <<TUNNEL
apiVersion: bigip-tunnel.dev/v1alpha1
kind: BigIpTunnel
metadata: {name: $tunnel, namespace: $namespace}
spec:
  credentialsSecretRef: {name: bigip-login}
  tls: {caBundleRef: {kind: ConfigMap, name: bigip-ca}, serverName: localhost}
  devices:
$spec
  tunnel: {name: flannel_vxlan}
TUNNEL
}

# The records that the nodes of the cluster should have, worked out here and not by the product.
expected_records() {
    local addresses address
    addresses=$(kubectl get nodes --output json |
        jq --raw-output '.items[].status.addresses[] | select(.type == "InternalIP") | .address')
    for address in $addresses; do
        # shellcheck disable=SC2086 # Four words on purpose.
        printf '0a:0a:%02x:%02x:%02x:%02x %s%%0\n' ${address//./ } "$address"
    done | sort
}

# ask DEVICE PATH: a request to a device as anybody would make it, once `log_in` was. More of curl's configuration comes
# from standard input: secrets are on no command line.
ask() {
    local port=8443
    [[ $1 == "${devices[0]}" ]] || port=8444
    curl --fail --silent --show-error --cacert "$work/$1.crt" --config - "https://localhost:$port/mgmt/$2"
}

# A token is good for 20 minutes.
log_in() {
    jq --null-input --rawfile password "$work/password" \
        '{username: "admin", $password, loginProviderName: "tmos"}' >"$work/login.json"
    ask "$1" shared/authn/login <<<"json = \"@$work/login.json\"" |
        jq --raw-output '"header = \"X-F5-Auth-Token: \(.token.token)\""' >"$work/$1.token"
}

records_of() {
    ask "$1" tm/net/fdb/tunnel/~Common~flannel_vxlan/records <"$work/$1.token" |
        jq --raw-output '.items[]? | "\(.name) \(.endpoint)"' | sort
}

hold_the_records_of_all_nodes() {
    local device wanted
    wanted=$(expected_records)
    for device in "${devices[@]}"; do
        [[ $(records_of "$device") == "$wanted" ]] || return 1
    done
}

hold_nothing() {
    local device
    for device in "${devices[@]}"; do
        [[ -z $(records_of "$device") ]] || return 1
    done
}

forward() {
    kubectl port-forward --namespace "$namespace" "pod/${devices[0]}" 8443:8443 >/dev/null &
    forwards+=($!)
    kubectl port-forward --namespace "$namespace" "pod/${devices[1]}" 8444:8443 >/dev/null &
    forwards+=($!)
    for device in "${devices[@]}"; do
        until_true 30 "$device is reached from here" log_in "$device"
    done
}

# The life of a tunnel, in pods, with the rights of the chart.
product_in_pods() {
    create_devices
    forward
    install_operator
    plugin check --pre || true
    create_tunnel
    plugin status "$tunnel" --namespace "$namespace" --wait --timeout 120s
    until_true 10 'every node has its record on both devices' hold_the_records_of_all_nodes
    plugin fdb "$tunnel" --namespace "$namespace"

    kubectl create --filename - <<'NODE'
apiVersion: v1
kind: Node
metadata: {name: e2e-new-node}
status: {addresses: [{type: InternalIP, address: 10.169.72.239}]}
NODE
    until_true 30 'a new node has its record on both devices' hold_the_records_of_all_nodes

    kubectl delete pod --namespace bigip-system --selector app.kubernetes.io/name=bigip-tunnel-operator --wait
    kubectl rollout status deployment bigip-tunnel-operator --namespace bigip-system --timeout=2m
    plugin reconcile "$tunnel" --namespace "$namespace"
    until_true 10 'a restart keeps all records' hold_the_records_of_all_nodes

    # Nothing is removed in the first 75 s of a process, and a node's record 60 s after it has gone.
    kubectl delete node e2e-new-node
    until_true 300 'the record of a node that has gone is removed' hold_the_records_of_all_nodes
    kubectl delete bigiptunnel "$tunnel" --namespace "$namespace" --timeout=5m
    until_true 10 'a tunnel that is deleted takes its records along' hold_nothing
    # The definition outlives the release, and is what the suite works with.
    helm uninstall bigip-tunnel-operator --namespace bigip-system --wait
    kubectl get crd bigiptunnels.bigip-tunnel.dev >/dev/null
}

# The suite asks a program `control-plane` for an API server and its kubeconfig. The one in this folder tells of the
# cluster that is there; everything else that it is asked for, the suite's own does.
suite_on_the_cluster() {
    local programs=$work/programs server
    say 'the integration tests on this API server'
    cargo test --locked --workspace --no-run
    cargo build --locked --workspace
    mkdir "$programs"
    cp target/debug/{bigip-tunnel-operator,kubectl-bigip_tunnel,bigip-sim} "$programs/"
    cp target/debug/control-plane "$programs/supervisor"
    server=$(kubectl config view --minify --output jsonpath='{.clusters[0].cluster.server}')
    jq --null-input --compact-output --arg kubeconfig "$KUBECONFIG" --arg server "$server" \
        '{$kubeconfig, $server, source: "kind"}' >"$programs/announcement"
    cat >"$programs/control-plane" <<'PROGRAM'
#!/bin/sh
here=$(dirname "$0")
[ $# -eq 0 ] || exec "$here/supervisor" "$@"
cat "$here/announcement"
exec cat >/dev/null
PROGRAM
    chmod +x "$programs/control-plane"
    BIGIP_TUNNEL_BINARIES=$programs cargo test --locked --package bigip-tunnel-it -- "${suite[@]}"
}

trap clean_up EXIT
build
create_cluster
product_in_pods
suite_on_the_cluster
say 'all is well'
