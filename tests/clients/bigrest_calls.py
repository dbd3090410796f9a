"""BIGREST against a device: objects, lists, statistics, commands, transactions."""

from bigrest.bigip import BIGIP

from outcomes import Calls, arguments, check

address, port, password, ca, version = arguments()
calls = Calls()
where = f"{address}:{port}"


def connect(**more):
    return BIGIP(where, "admin", password, session_verify=ca, timeout=60, **more)


calls.call("connect with Basic credentials", connect)
device = calls.call("connect with a token", lambda: connect(request_token=True))

for path in [
    "/mgmt/tm/sys/db",
    "/mgmt/tm/sys/provision",
    "/mgmt/tm/sys/global-settings",
    "/mgmt/tm/cm/device",
    "/mgmt/tm/cm/device-group",
    "/mgmt/tm/cm/traffic-group",
    "/mgmt/tm/cm/trust-domain",
    "/mgmt/tm/auth/partition",
    "/mgmt/tm/auth/source",
    "/mgmt/tm/net/self",
    "/mgmt/tm/net/vlan",
    "/mgmt/tm/net/trunk",
    "/mgmt/tm/net/fdb/tunnel",
    "/mgmt/tm/ltm/pool",
    "/mgmt/tm/ltm/node",
]:
    calls.call(f"load {path[9:]}", lambda path=path: device.load(path))

fdb = "/mgmt/tm/net/fdb/tunnel/~Common~flannel_vxlan/records"
record = {"name": "0a:0a:0a:a9:48:ef", "endpoint": "10.169.72.239%0"}
calls.call("create a record", lambda: device.create(fdb, record))
calls.call("create the same record", lambda: device.create(fdb, record), "01020066")
calls.call("exist of a record", lambda: check(device.exist(f"{fdb}/{record['name']}"), "missing"))
calls.call(
    "modify a record",
    lambda: device.modify(f"{fdb}/{record['name']}", {"endpoint": "10.169.72.240%0"}),
)
calls.call("delete a record", lambda: device.delete(f"{fdb}/{record['name']}"))
calls.call(
    "exist of a missing record",
    lambda: check(not device.exist(f"{fdb}/{record['name']}"), "still there"),
)

vxlan = {"name": "vx", "port": 8472, "floodingType": "multipoint"}
calls.call("create a VXLAN profile", lambda: device.create("/mgmt/tm/net/tunnels/vxlan", vxlan))
tunnel = {"name": "t", "key": 5, "profile": "/Common/vx", "localAddress": "10.169.72.34"}
calls.call("create a tunnel", lambda: device.create("/mgmt/tm/net/tunnels/tunnel", tunnel))
self_ip = {"name": "s", "address": "10.244.9.1/24", "vlan": "/Common/t"}
calls.call("create a self IP", lambda: device.create("/mgmt/tm/net/self", self_ip))
route = {"name": "r", "network": "10.2.0.0/16", "tmInterface": "/Common/t"}
calls.call("create a route", lambda: device.create("/mgmt/tm/net/route", route))


def save_route():
    loaded = device.load("/mgmt/tm/net/route/~Common~r")
    loaded.properties["mtu"] = 1400
    check(device.save(loaded).properties["mtu"] == 1400, "not saved")


calls.call("save a route that was loaded", save_route)
calls.call(
    "delete a tunnel in use",
    lambda: device.delete("/mgmt/tm/net/tunnels/tunnel/~Common~t"),
    "01070265",
)
calls.call(
    "show the statistics of a tunnel",
    lambda: device.show("/mgmt/tm/net/tunnels/tunnel/~Common~t"),
)
calls.call(
    "show the statistics of all tunnels", lambda: device.show("/mgmt/tm/net/tunnels/tunnel")
)
calls.call("show the version", lambda: device.show("/mgmt/tm/sys/version"))
calls.call("load the version", lambda: device.load("/mgmt/tm/sys/version"))
calls.call(
    "command ping",
    lambda: device.command(
        "/mgmt/tm/util/ping", {"command": "run", "utilCmdArgs": "-c 1 10.244.1.7"}
    ),
)
calls.call(
    "command bash",
    lambda: device.command("/mgmt/tm/util/bash", {"command": "run", "utilCmdArgs": "-c id"}),
)
calls.call(
    "command save", lambda: device.command("/mgmt/tm/sys/config", {"command": "save"})
)
calls.call("example of a pool", lambda: device.example("/mgmt/tm/ltm/pool"))


def transaction():
    with device:
        device.create(fdb, {"name": "0a:0a:0a:00:00:01", "endpoint": "10.0.0.1%0"})
        device.create(fdb, {"name": "0a:0a:0a:00:00:02", "endpoint": "10.0.0.2%0"})
    check(len(device.load(fdb)) == 2, "not committed")


def validation():
    device.transaction_create()
    device.create(fdb, {"name": "0a:0a:0a:00:00:03", "endpoint": "10.0.0.3%0"})
    try:
        state = device.transaction_validate().properties["state"]
    finally:
        device.session.headers.pop("X-F5-REST-Coordination-Id", None)
    check(state == "COMPLETED", state)
    check(len(device.load(fdb)) == 2, "committed")


def empty_transaction():
    try:
        with device:
            pass
    finally:
        device.session.headers.pop("X-F5-REST-Coordination-Id", None)


calls.call("transaction of two records", transaction)
calls.call("transaction_validate", validation)
calls.call("empty transaction", empty_transaction, "there is no command to commit")
for path in [
    "/mgmt/tm/net/route/~Common~r",
    "/mgmt/tm/net/self/~Common~s",
    "/mgmt/tm/net/tunnels/tunnel/~Common~t",
    "/mgmt/tm/net/tunnels/vxlan/~Common~vx",
]:
    calls.call(f"delete {path[9:].rsplit('/', 1)[0]}", lambda path=path: device.delete(path))
calls.call("delete what is gone", lambda: device.delete("/mgmt/tm/net/route/~Common~r"), "01020036")
