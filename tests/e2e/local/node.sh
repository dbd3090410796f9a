#!/usr/bin/env bash
# The local node: a whole Kubernetes on one machine, in namespaces of its own. `world.rs` runs this as the first process
# of them; when it ends, every process, mount and interface of the node ends with it.
#
#   node.sh WORLD PROGRAMS CONTROL_PLANE IMAGES
#
# WORLD is a new folder, PROGRAMS and CONTROL_PLANE hold the programs, IMAGES the archives that are imported. It writes
# WORLD/init (its process id outside), then WORLD/ready, and ends when its standard input does.
set -euo pipefail
world=$1 programs=$2 control_plane=$3 images=$4
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# /proc is still that of the outside.
read -r outside_pid _ </proc/self/stat
echo "$outside_pid" >"$world/init"

node=node1
address=10.99.0.2
dns=10.96.0.10
server=https://$address:6443
kubectl=("$programs/kubectl" --kubeconfig "$world/kubeconfig")
PATH=$programs:$control_plane:$PATH

# until_true SECONDS WHAT COMMAND…
until_true() {
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        if ((SECONDS >= end)); then
            echo "error: not in time: $what" >&2
            return 1
        fi
        sleep 0.1
    done
}

# start NAME COMMAND…: in the background, with a log of its own.
start() {
    local name=$1
    shift
    "$@" </dev/null >"$world/log/$name" 2>&1 &
}

file_systems() {
    mkdir -p "$world"/{log,pki,cni} "$world"/var/{lib,log,tmp,cache}
    ln -s /run "$world/var/run"
    mount --bind "$world/var" /var
    mount -t tmpfs tmpfs /run
    mount -t proc proc /proc
    mount -t sysfs sysfs /sys
    mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
    local controller
    for controller in cpu cpuacct cpuset memory devices freezer blkio pids; do
        mkdir "/sys/fs/cgroup/$controller"
        mount -t cgroup -o "$controller" cgroup "/sys/fs/cgroup/$controller"
    done
    mkdir /sys/fs/cgroup/systemd
    mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd
    # The kubelet wants these of the whole machine. It is shown that they are so, and the machine stays as it is.
    local setting shown
    for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
        kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
        shown=/run/shown-${setting//\//-}
        echo "${setting#*=}" >"$shown"
        mount --bind "$shown" "/proc/sys/${setting%=*}"
    done
    mount --make-rshared /
}

network() {
    hostname "$node"
    ip link set lo up
    ip link add eth0 type veth peer name outside
    ip link set outside up
    ip address add "$address/24" dev eth0
    ip link set eth0 up
    # Leads nowhere: Kubernetes wants a way out, and this node has none.
    ip route add default dev eth0 via 10.99.0.1
    echo 1 >/proc/sys/net/ipv4/ip_forward
    echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables
    echo "nameserver 127.0.0.1" >"$world/resolv.conf"
}

# certificate NAME SUBJECT ALTERNATIVE-NAMES
certificate() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.csr" -subj "$2"
    openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -out "$1.crt" \
        -extfile <(printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$3")
}

# kubeconfig FILE TOKEN
kubeconfig() {
    cat >"$1" <<CONFIG
apiVersion: v1
kind: Config
current-context: local
contexts: [{name: local, context: {cluster: local, user: local}}]
clusters: [{name: local, cluster: {server: "$server", certificate-authority: $world/pki/ca.crt}}]
users: [{name: local, user: {token: $2}}]
CONFIG
}

credentials() {
    local user
    umask 077
    cd "$world/pki"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt -days 2 \
        -subj /CN=kubernetes -addext keyUsage=critical,keyCertSign,digitalSignature
    certificate apiserver /CN=kube-apiserver \
        "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,IP:10.96.0.1,IP:$address,IP:127.0.0.1"
    certificate kubelet-client /O=system:masters/CN=kube-apiserver DNS:kube-apiserver
    certificate kubelet "/CN=$node" "DNS:$node,IP:$address"
    openssl genrsa -out accounts.key 2048
    openssl rsa -in accounts.key -pubout -out accounts.pub
    declare -A tokens
    for user in admin scheduler proxy node; do
        tokens[$user]=$(openssl rand -hex 16)
        kubeconfig "$world/$user.kubeconfig" "${tokens[$user]}"
    done
    cp "$world/admin.kubeconfig" "$world/kubeconfig"
    cat >tokens.csv <<TOKENS
${tokens[admin]},admin,1,"system:masters"
${tokens[scheduler]},system:kube-scheduler,2
${tokens[proxy]},system:kube-proxy,3
${tokens[node]},system:node:$node,4,"system:nodes"
TOKENS
    cd /
    umask 022
}

start_containerd() {
    cat >"$world/cni/10-pods.conflist" <<CONFIG
{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {"type": "bridge", "bridge": "pods", "isGateway": true, "ipMasq": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.244.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
CONFIG
    cat >"$world/containerd.toml" <<CONFIG
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  # This machine may not lower the score of a process.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$programs"
    conf_dir = "$world/cni"
CONFIG
    start containerd containerd --config "$world/containerd.toml" --log-level warn
    until_true 30 'containerd answers' ctr version
    local archive
    for archive in "$images"/*.tar; do
        ctr --namespace k8s.io images import "$archive" >/dev/null
    done
}

start_control_plane() {
    local pki=$world/pki
    start etcd etcd --data-dir "$world/var/lib/etcd" --listen-client-urls http://127.0.0.1:2379 \
        --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380 \
        --unsafe-no-fsync=true --log-level warn
    start kube-apiserver kube-apiserver --etcd-servers http://127.0.0.1:2379 \
        --bind-address 0.0.0.0 --advertise-address "$address" --secure-port 6443 \
        --tls-cert-file "$pki/apiserver.crt" --tls-private-key-file "$pki/apiserver.key" \
        --client-ca-file "$pki/ca.crt" \
        --kubelet-client-certificate "$pki/kubelet-client.crt" --kubelet-client-key "$pki/kubelet-client.key" \
        --kubelet-certificate-authority "$pki/ca.crt" --kubelet-preferred-address-types InternalIP \
        --service-account-issuer https://kubernetes.default.svc \
        --service-account-key-file "$pki/accounts.pub" --service-account-signing-key-file "$pki/accounts.key" \
        --token-auth-file "$pki/tokens.csv" --authorization-mode Node,RBAC \
        --enable-admission-plugins NodeRestriction --service-cluster-ip-range 10.96.0.0/16 --allow-privileged
    until_true 120 'the API server is ready' "${kubectl[@]}" get --raw /readyz
    start kube-controller-manager kube-controller-manager --kubeconfig "$world/admin.kubeconfig" \
        --leader-elect=false --service-account-private-key-file "$pki/accounts.key" --root-ca-file "$pki/ca.crt" \
        --cluster-signing-cert-file "$pki/ca.crt" --cluster-signing-key-file "$pki/ca.key"
    start kube-scheduler kube-scheduler --kubeconfig "$world/scheduler.kubeconfig" --leader-elect=false \
        --authentication-kubeconfig "$world/scheduler.kubeconfig" \
        --authorization-kubeconfig "$world/scheduler.kubeconfig"
}

start_node() {
    "${kubectl[@]}" create clusterrolebinding kube-proxy --clusterrole system:node-proxier --user system:kube-proxy
    cat >"$world/proxy.yaml" <<CONFIG
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: $world/proxy.kubeconfig}
mode: iptables
clusterCIDR: 10.244.0.0/16
# Settings of the whole machine, which stay as they are.
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
CONFIG
    start kube-proxy kube-proxy --config "$world/proxy.yaml" --hostname-override "$node"
    cat >"$world/kubelet.yaml" <<CONFIG
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
failSwapOn: false
cgroupDriver: cgroupfs
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $world/pki/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $world/pki/kubelet.crt
tlsPrivateKeyFile: $world/pki/kubelet.key
clusterDNS: [$dns]
clusterDomain: cluster.local
resolvConf: $world/resolv.conf
oomScoreAdj: 0
nodeStatusUpdateFrequency: 4s
# ConfigMaps and Secrets reach pods a little after they change, as they do elsewhere; there within a minute.
syncFrequency: 10s
# A full disk of the machine is no matter of the tests.
evictionHard: {memory.available: 50Mi, nodefs.available: 1%, imagefs.available: 1%}
imageGCHighThresholdPercent: 100
CONFIG
    start kubelet kubelet --config "$world/kubelet.yaml" --kubeconfig "$world/node.kubeconfig" \
        --node-ip "$address" --hostname-override "$node" --housekeeping-interval 2s
    "${kubectl[@]}" apply --filename "$here/dns.yaml"
    until_true 60 'the node is there' "${kubectl[@]}" get node "$node"
    "${kubectl[@]}" wait node "$node" --for=condition=Ready --timeout=60s
    "${kubectl[@]}" --namespace kube-system rollout status deployment coredns --timeout=60s
}

file_systems
network
credentials >"$world/log/openssl" 2>&1
start_containerd &
importing=$!
start_control_plane
wait "$importing"
start_node >"$world/log/node"
touch "$world/ready"
# Until the one that asked for the node goes, however it goes.
cat >/dev/null
