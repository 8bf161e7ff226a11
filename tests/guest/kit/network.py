# SPDX-License-Identifier: Apache-2.0
"""The host's side of a network: addresses on taps, servers that a guest talks to."""

import functools
import hashlib
import http.server
import os
import subprocess
import threading

from .test import Skip, check, wait_until


def need_taps():
    if os.geteuid() != 0 or not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        raise Skip("taps need root and /dev/net/tun")


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def give_address(name, address):
    """Waits for the interface and gives it an address."""
    wait_until(lambda: os.path.exists(f"/sys/class/net/{name}"), f"interface {name} exists")
    ip("addr", "add", address, "dev", name)
    ip("link", "set", name, "up")


def make_tap(t, name, address, queues=1):
    """A tap with an address that stays until the scenario ends."""
    need_taps()
    ip("tuntap", "add", "dev", name, "mode", "tap", *(["multi_queue"] if queues > 1 else []))
    t.stack.callback(ip, "link", "del", name)
    give_address(name, address)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def serve_file(t, mib, address="127.0.0.1"):
    """Starts a web server with one file; returns its port and the file's SHA-256."""
    os.makedirs(t.path("site"))
    data = os.urandom(1 << 20) * mib
    with open(t.path("site/file"), "wb") as file:
        file.write(data)
    handler = functools.partial(_Quiet, directory=t.path("site"))
    server = http.server.ThreadingHTTPServer((address, 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    t.stack.callback(server.server_close)
    t.stack.callback(server.shutdown)
    return server.server_address[1], hashlib.sha256(data).hexdigest()


def iperf_server(t, address):
    """Starts iperf3's server; ends with the scenario."""
    with open(t.path("iperf3"), "wb") as log:
        server = subprocess.Popen(["iperf3", "-s", "-B", address], stdout=log, stderr=log)
    t.stack.callback(server.wait)
    t.stack.callback(server.kill)


def holds(pid, file):
    """True if the process has the file open."""
    links = (os.path.join(f"/proc/{pid}/fd", fd) for fd in os.listdir(f"/proc/{pid}/fd"))
    return any(os.path.realpath(link) == file for link in links if os.path.exists(link))


def check_vhost(vmm, expected):
    has = holds(vmm.pid, "/dev/vhost-net")
    check(has == expected, f"vhost-net is {'' if has else 'not '}in use")
