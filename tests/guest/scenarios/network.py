# SPDX-License-Identifier: Apache-2.0
"""virtio-net under a real driver: user-mode network, taps, vhost-net."""

import re
import socket

from kit.config import device
from kit.network import check_vhost, give_address, iperf_server, make_tap, need_taps, serve_file
from kit.test import HOSTS, check, scenario, wait_until
from kit.vmm import start

from .disk import TOOLS, tools_disk

USER_NETWORK = """
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
ip route add default via 10.0.2.2
"""
HOST, GUEST = "192.168.77.1", "192.168.77.2"
TAP = "vmmtest0"
TAP_NETWORK = f"ip link set eth0 up; ip addr add {GUEST}/24 dev eth0"


NUMBERS = b"".join(b"%d\n" % n for n in range(1, 200001))  # of the guest's `seq 200000`


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def read_all(port):
    """What comes from a port of this machine until the other side ends it."""
    data = b""
    with socket.create_connection(("127.0.0.1", port), 60) as connection:
        while part := connection.recv(65536):
            data += part
    return data


def download(host, port, digest):
    """A job that fetches a file and compares it. Not wget's own -T: it crashes a static busybox."""
    return f"[ $(timeout 100 wget -q -O - http://{host}:{port}/file | sha256sum | cut -d ' ' -f 1) = {digest} ]"


@scenario(HOSTS)
def download_over_the_user_network(t):
    port, digest = serve_file(t, 4)
    job = USER_NETWORK + download("10.0.2.2", port, digest)
    start(t, job, [device("virtio-net", id="net0", backend="user")]).job_passes()


@scenario()
def both_ways_over_the_user_network_with_offloads(t):
    """A download, and what the guest sends through a forwarded port: long segments, whose checksums the other side makes."""
    port, digest = serve_file(t, 4)
    forwarded = free_port()
    job = USER_NETWORK + download("10.0.2.2", port, digest) + """
        seq 200000 >/numbers; nc -l -p 80 </numbers & sleep 1; echo ready; wait
        [ $(cat /sys/class/net/eth0/statistics/rx_packets) -lt 2000 ]
    """
    forward = {"host_port": forwarded, "guest_port": 80}
    vmm = start(t, job, [device("virtio-net", id="net0", offload=True, hostfwd=[forward])])
    vmm.wait_for("^ready")
    check(read_all(forwarded) == NUMBERS, "other data")
    vmm.job_passes()


@scenario()
def address_by_dhcp_and_a_forwarded_port_of_the_user_network(t):
    port = free_port()
    job = """
        printf '#!/bin/sh\\necho "$1 $ip $router"; ip addr add $ip/24 dev eth0\\n' >/lease && chmod +x /lease
        ip link set eth0 up
        udhcpc -i eth0 -n -q -s /lease -t 10 -T 1
        seq 200000 >/numbers; nc -l -p 80 </numbers & sleep 1; echo ready; wait
    """
    forward = {"host_port": port, "guest_port": 80}
    vmm = start(t, job, [device("virtio-net", id="net0", network="10.9.8.0/24", hostfwd=[forward])])
    vmm.wait_for(r"^bound 10\.9\.8\.15 10\.9\.8\.2$")
    vmm.wait_for("^ready")
    check(read_all(port) == NUMBERS, "other data")
    vmm.job_passes()


def tap_carries_data(t, vhost, cpus=1, **options):
    """iperf3 in both directions, and a file whose content is compared. Returns what the guest printed."""
    make_tap(t, TAP, f"{HOST}/24", options.get("queues", 1))
    iperf_server(t, HOST)
    port, digest = serve_file(t, 4, HOST)
    job = f"""
        {TOOLS}
        {TAP_NETWORK}
        chroot /tools iperf3 -c {HOST} -t 2
        chroot /tools iperf3 -c {HOST} -t 2 -R
        {download(HOST, port, digest)}
        echo "queues $(ls -d /sys/class/net/eth0/queues/tx-* | wc -l)"
    """
    net = device("virtio-net", id="net0", backend="tap", ifname=TAP, vhost=vhost, **options)
    vmm = start(t, job, [tools_disk(t), net], cpus=cpus)
    vmm.wait_for("connected to")
    check_vhost(vmm, vhost == "on")
    vmm.job_passes()
    rates = re.findall(r"([\d.]+ [KMG]?bits/sec) .*receiver", vmm.text())
    check(len(rates) == 2, "iperf3 did not report two directions")
    t.log(f"guest to host {rates[0]}, host to guest {rates[1]}")
    return vmm.text()


@scenario()
def iperf3_over_tap_without_vhost(t):
    tap_carries_data(t, "off")


@scenario()
def iperf3_over_tap_with_vhost_and_two_queue_pairs(t):
    text = tap_carries_data(t, "on", cpus=2, queues=2)
    check("\nqueues 2\n" in text, "the guest does not have two queue pairs")


@scenario(HOSTS)
def ping_over_tap_with_vhost(t):
    """On a tap that vmm makes, and that is gone with it."""
    need_taps()
    job = f"{TAP_NETWORK}; for i in $(seq 60); do ping -c 1 -W 1 {HOST} && exit 0; done; exit 1"
    vmm = start(t, job, [device("virtio-net", id="net0", backend="tap", ifname=TAP, vhost="on")])
    give_address(TAP, f"{HOST}/24")
    wait_until(lambda: vmm.text(), "the guest starts")
    check_vhost(vmm, True)
    vmm.job_passes()
