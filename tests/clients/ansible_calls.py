"""Ansible's f5networks.f5_modules against a device: its modules of tunnels and of the system, in one playbook.

Each task goes on whatever became of it; what its module gave back is read from a file that the last one writes.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

from outcomes import Calls, arguments

address, port, password, ca, version = arguments()
TUNNEL = {"name": "t", "profile": "vxlan", "key": 4711, "local_address": "10.169.72.34"}
SELF_IP = {"name": "s", "address": "10.1.6.34", "netmask": "255.255.255.0", "vlan": "t"}
ROUTE = {"name": "r", "destination": "10.244.0.0", "netmask": "255.255.0.0", "vlan": "t"}

# Left out: what takes an answer of 501 for a good one (bigip_pool), or asks for util/bash and says nothing of its
# answer (bigip_command, bigip_wait).
# A name, a module, its arguments, and what has to come of it: whether it changes something, or the words
# of a refusal.
TASKS = [
    (
        "bigip_device_info",
        "device_info",
        {
            "gather_subset": [
                "devices",
                "device-groups",
                "interfaces",
                "ltm-pools",
                "partitions",
                "route-domains",
                "self-ips",
                "sync-status",
                "trunks",
                "vlans",
            ]
        },
        False,
    ),
    ("bigip_device_info system-info", "device_info", {"gather_subset": ["system-info"]}, False),
    ("bigip_provision", "provision", {"module": "ltm", "level": "nominal"}, False),
    ("bigip_sys_db", "sys_db", {"key": "iptunnel.configsync", "value": "disable"}, True),
    ("bigip_sys_db again", "sys_db", {"key": "iptunnel.configsync", "value": "disable"}, False),
    ("bigip_sys_global", "sys_global", {"gui_setup": True}, True),
    ("bigip_hostname", "hostname", {"hostname": "other.lab.local"}, True),
    ("bigip_device_ntp", "device_ntp", {"ntp_servers": ["192.0.2.123"]}, True),
    ("bigip_device_dns", "device_dns", {"name_servers": ["192.0.2.53"]}, True),
    ("bigip_device_httpd", "device_httpd", {"log_level": "debug"}, True),
    ("bigip_device_sshd", "device_sshd", {"log_level": "debug"}, True),
    ("bigip_device_syslog", "device_syslog", {"kern_from": "info"}, True),
    ("bigip_partition", "partition", {"name": "k8s"}, True),
    ("bigip_vlan", "vlan", {"name": "v", "tag": 11}, True),
    ("bigip_vlan again", "vlan", {"name": "v", "tag": 11}, False),
    ("bigip_routedomain", "routedomain", {"name": "7", "id": 7}, True),
    ("bigip_tunnel", "tunnel", TUNNEL, True),
    ("bigip_tunnel again", "tunnel", TUNNEL, False),
    ("bigip_tunnel with its VNI again", "tunnel", {**TUNNEL, "name": "u"}, "010716ce"),
    ("bigip_selfip", "selfip", SELF_IP, True),
    ("bigip_selfip again", "selfip", SELF_IP, False),
    ("bigip_static_route", "static_route", ROUTE, True),
    ("bigip_static_route again", "static_route", ROUTE, False),
    ("bigip_device_traffic_group", "device_traffic_group", {"name": "g"}, True),
    ("bigip_config save", "config", {"save": True}, True),
    ("bigip_static_route absent", "static_route", {"name": "r", "state": "absent"}, True),
    ("bigip_selfip absent", "selfip", {"name": "s", "state": "absent"}, True),
    ("bigip_tunnel absent", "tunnel", {"name": "t", "state": "absent"}, True),
    ("bigip_tunnel absent again", "tunnel", {"name": "t", "state": "absent"}, False),
    ("bigip_routedomain absent", "routedomain", {"name": "7", "state": "absent"}, True),
    ("bigip_vlan absent", "vlan", {"name": "v", "state": "absent"}, True),
    ("bigip_partition absent", "partition", {"name": "k8s", "state": "absent"}, True),
]


def playbook(results):
    """One play with all tasks, and one that writes what they gave back."""
    provider = {"server": address, "server_port": port, "user": "admin", "password": password}
    tasks = []
    for number, (name, module, args, _) in enumerate(TASKS):
        task = {"name": name, "register": f"r{number}", "ignore_errors": True}
        task[f"f5networks.f5_modules.bigip_{module}"] = {**args, "provider": provider}
        tasks.append(task)
    given = ", ".join(f"r{number}" for number in range(len(TASKS)))
    tasks.append({"ansible.builtin.copy": {"content": f"{{{{ [{given}] | to_json }}}}", "dest": results}})
    return [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}]


def run():
    """What each task gave back."""
    with tempfile.TemporaryDirectory() as folder:
        play, results = pathlib.Path(folder, "play.json"), pathlib.Path(folder, "results.json")
        play.write_text(json.dumps(playbook(str(results))))
        environment = {
            **os.environ,
            "ANSIBLE_HOME": folder,
            "ANSIBLE_LOCALHOST_WARNING": "False",
            "ANSIBLE_PIPELINING": "True",
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            # It would tell F5 of its use.
            "F5_TELEMETRY_OFF": "true",
            "SSL_CERT_FILE": ca,
        }
        program = pathlib.Path(sys.executable).with_name("ansible-playbook")
        command = [program, "--inventory", "localhost,", play]
        ended = subprocess.run(command, env=environment, text=True, capture_output=True, check=False)
        if not results.exists():
            sys.exit(f"ansible-playbook: {ended.returncode}\n{ended.stdout[-2000:]}\n{ended.stderr[-2000:]}")
        return json.loads(results.read_text())


def judge(result, expected):
    """Fails a call that failed, or changed something or nothing against what was expected."""
    if result.get("failed"):
        raise RuntimeError(f"{result.get('msg')} {result.get('module_stderr', '')}")
    if isinstance(expected, bool) and result["changed"] != expected:
        raise AssertionError(f"changed is {result['changed']}")
    return result


calls = Calls()
for (name, _, _, expected), result in zip(TASKS, run(), strict=True):
    refused = expected if isinstance(expected, str) else None
    calls.call(name, lambda given=result, what=expected: judge(given, what), refused)
