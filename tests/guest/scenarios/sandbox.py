# SPDX-License-Identifier: Apache-2.0
"""What a running vmm has left of its privileges, seen from outside; hosts that do not give it all."""

import ctypes
import os
import signal
import socket
import stat
import subprocess

from kit.config import device
from kit.test import HOSTS, PATIENCE, Skip, check, scenario
from kit.vmm import Vmm, halted, linux, start_halted

EXIT_HOST = 4
NOBODY = 65534
SECCOMP_FILTER = "2"
PR_CAPBSET_DROP, CAP_SYS_ADMIN = 24, 21
CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 0x1000, 0x4000, 0x40000
USER_NAMESPACES = "/proc/sys/user/max_user_namespaces"
NO_USER_NAMESPACE = "not possible here: a user namespace: No space left on device"


def status(pid, thread):
    with open(f"/proc/{pid}/task/{thread}/status") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def own_threads(vmm):
    """/proc/.../status of each thread that is not the kernel's."""
    every = (status(vmm.pid, thread) for thread in os.listdir(f"/proc/{vmm.pid}/task"))
    return [facts for facts in every if not facts["Name"].startswith(("iou-", "vhost-", "kvm-"))]


def check_threads(vmm, bounds=True):
    for facts in own_threads(vmm):
        for key in ("CapEff", "CapPrm", "CapInh", "CapAmb", *(["CapBnd"] if bounds else [])):
            check(int(facts[key], 16) == 0, f"thread {facts['Name']} has {key} {facts[key]}")
        check(facts["NoNewPrivs"] == "1", f"thread {facts['Name']} may get new privileges")
        check(facts["Seccomp"] == SECCOMP_FILTER, f"thread {facts['Name']} has no system call filter")


def ends(vmm):
    vmm.signal(signal.SIGTERM)
    vmm.ends(0)


@scenario(HOSTS)
def x4_x5_x7_a_running_vmm_has_no_privileges(t):
    disk = device("virtio-blk", id="disk0", path=t.disk("disk.img", 8))
    vmm = start_halted(t, [disk], iothreads=["io0"])
    check_threads(vmm)
    check(os.listdir(f"/proc/{vmm.pid}/root/") == [], "vmm sees files")
    for fd in os.listdir(f"/proc/{vmm.pid}/fd"):
        check(not stat.S_ISDIR(os.stat(f"/proc/{vmm.pid}/fd/{fd}").st_mode), f"fd {fd} is a directory")
    for kind in ("net", "ipc", "uts", "mnt"):
        other = os.readlink(f"/proc/self/ns/{kind}") != os.readlink(f"/proc/{vmm.pid}/ns/{kind}")
        check(other, f"vmm has the {kind} namespace of the host")
    ends(vmm)


@scenario()
def h26_no_thread_blocks_the_signals_of_a_crash(t):
    disk = device("virtio-blk", id="disk0", path=t.disk("disk.img", 8))
    vmm = start_halted(t, [disk], iothreads=["io0"])
    crashes = (signal.SIGSEGV, signal.SIGBUS, signal.SIGSYS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE)
    threads = own_threads(vmm)
    check({"vmm", "vcpu0", "log", "io0"} <= {facts["Name"] for facts in threads}, "a thread has no name of its own")
    for facts in threads:
        blocked = [number.name for number in crashes if int(facts["SigBlk"], 16) >> (number - 1) & 1]
        check(not blocked, f"thread {facts['Name']} blocks {', '.join(blocked)}")
    ends(vmm)


@scenario()
def x7_a_console_on_a_socket(t):
    """As of a service whose output is the journal's; without a network of vmm's own."""
    ours, theirs = socket.socketpair()
    t.stack.enter_context(ours)
    with theirs:
        vmm = Vmm(t, ["-c", halted(t)], stdio=theirs)
    ours.settimeout(PATIENCE)
    seen = b""
    while b"cmdline=" not in seen:
        now = ours.recv(4096)
        check(now, "vmm ended")
        seen += now
    ours.send(b"x")
    ours.shutdown(socket.SHUT_WR)  # the end of its input
    ends(vmm)


@scenario()
def x7_a_name_server_with_a_scope(t):
    """The guest asks for a name; the host's name server is one of its own link."""
    servers = t.path("resolv.conf")
    write(servers, "nameserver fe80::1%lo\nnameserver 127.0.0.1\n")
    job = "ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0; timeout 5 nslookup vmm.test 10.0.2.3 || :"
    path = linux(t, job, [device("virtio-net", id="net0", backend="user")])
    Vmm(t, ["-c", path], preexec_fn=lambda: bind(servers, "/etc/resolv.conf")).job_passes()


@scenario()
def x4_x5_a_strict_sandbox_with_another_user(t):
    vmm = start_halted(t, [device("virtio-net", id="net0")], machine={"sandbox": "strict", "user": "nobody"})
    check_threads(vmm)
    check(status(vmm.pid, vmm.pid)["Uid"].split()[1] != "0", "vmm is still root")
    check(os.listdir(f"/proc/{vmm.pid}/root/etc") in ([], ["resolv.conf"]), "vmm sees files of /etc")
    ends(vmm)


@scenario(HOSTS)
def x1_x2_x3_x4_x5_x6_each_step_on_this_kernel(t):
    """As ctest has them too, there with the kernel that runs ctest. Filters are the same everywhere."""
    for name in ("test-sandbox", "test-sandbox-landlock", "test-sandbox-hosts"):
        command = [t.unit_test("sandbox", name)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE)
        t.log(done.stdout.decode(errors="replace"))
        check(done.returncode == 0, f"{name} ended with {done.returncode}")


def without_user_namespaces(t):
    if os.geteuid() != 0 or not t.settings["testbed"]:
        raise Skip("only root can change what a host allows")
    with open(USER_NAMESPACES) as file:
        before = file.read()
    t.stack.callback(write, USER_NAMESPACES, before)
    write(USER_NAMESPACES, "0")


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def starts_and_says_so(vmm):
    vmm.wait_for("^cmdline=")
    check_threads(vmm, bounds=False)
    check(vmm.log_text().count(NO_USER_NAMESPACE) == 1, "there is not one line that says what is missing")
    check(vmm.log_text().count("not possible here") == 1, "something else is missing, too")
    ends(vmm)


def refuses_and_says_why(vmm):
    vmm.ends(EXIT_HOST)
    check(f'machine.sandbox is "strict", but {NO_USER_NAMESPACE}' in vmm.log_text(), "the error does not name the step")


def bind(source, target):
    """In a mount namespace of its own."""
    libc = ctypes.CDLL(None)
    libc.unshare(CLONE_NEWNS)
    libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None)
    libc.mount(source.encode(), target.encode(), None, MS_BIND, None)


def drop_admin():
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN, 0, 0, 0)


@scenario()
def x4_x5_root_of_a_container(t):
    """Root without CAP_SYS_ADMIN where nobody can make namespaces."""
    without_user_namespaces(t)
    starts_and_says_so(Vmm(t, ["-c", halted(t)], preexec_fn=drop_admin))
    path = halted(t, machine={"sandbox": "strict", "user": "nobody"}, name="strict.cfg")
    refuses_and_says_why(Vmm(t, ["-c", path], preexec_fn=drop_admin))


@scenario()
def x4_x5_an_ordinary_user(t):
    """With namespaces and where there are none."""
    without_user_namespaces(t)
    t.stack.callback(os.chmod, "/dev/kvm", os.stat("/dev/kvm").st_mode)
    os.chmod("/dev/kvm", 0o666)
    for path in (t.dir, t.cwd):
        os.chmod(path, 0o755)
    ordinary = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    starts_and_says_so(Vmm(t, ["-c", halted(t)], **ordinary))
    path = halted(t, machine={"sandbox": "strict"}, name="strict.cfg")
    refuses_and_says_why(Vmm(t, ["-c", path], **ordinary))
    write(USER_NAMESPACES, "1000")
    vmm = Vmm(t, ["-c", path], **ordinary)
    vmm.wait_for("^cmdline=")
    check_threads(vmm)
    ends(vmm)
