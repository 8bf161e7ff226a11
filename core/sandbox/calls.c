/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls of each thread role, with the reason for each. What is not here ends the process
 * with a report. See calls.h.
 */
#include "sandbox/calls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <linux/vhost.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <termios.h>

#include <vmm/device.h>

#include "kvm/requests.h"
#include "sandbox/filters.h"

#define M (1u << SANDBOX_MAIN)
#define L (1u << SANDBOX_LOOP)
#define V (1u << SANDBOX_VCPU)
#define W (1u << SANDBOX_WORKER)
#define H (1u << SANDBOX_HELPER)

#define LOOPS (M | L)
#define ALL   (M | L | V | W | H)

/* libseccomp 2.5.4 does not know newer names on its own; the numbers are the kernel's. */
#define CALL(name, who, why)                                                                       \
	{                                                                                          \
		.number = SCMP_SYS(name), .roles = (who), .reason = (why)                          \
	}
#define NEED(name, who, what, why)                                                                 \
	{                                                                                          \
		.number = SCMP_SYS(name), .roles = (who), .need = (what), .reason = (why)          \
	}
#define WITH(name, who, number_of_arg, bits, wanted, why)                                          \
	{                                                                                          \
		.number = SCMP_SYS(name), .roles = (who), .arg = (number_of_arg), .mask = (bits),  \
		.value = (wanted), .reason = (why)                                                 \
	}
#define REFUSE(name, who, what, why)                                                               \
	{                                                                                          \
		.number = SCMP_SYS(name), .roles = (who), .error = (what), .reason = (why)         \
	}
/* Requests are 32 bits; what is above them the kernel ignores. */
#define IOCTL(request, who, why)                                                                   \
	{                                                                                          \
		.number = SCMP_SYS(ioctl), .roles = (who), .arg = 1, .mask = UINT32_MAX,           \
		.value = (uint32_t)(request), .reason = (why)                                      \
	}
#define NEED_IOCTL(request, who, what, why)                                                        \
	{                                                                                          \
		.number = SCMP_SYS(ioctl), .roles = (who), .need = (what), .arg = 1,               \
		.mask = UINT32_MAX, .value = (uint32_t)(request), .reason = (why)                  \
	}
#define FCNTL(command, who, why)     WITH(fcntl, who, 1, UINT32_MAX, (uint32_t)(command), why)
#define VCPU_REQUEST(request, why)   IOCTL(request, V, why),
#define DEVICE_REQUEST(request, why) IOCTL(request, LOOPS | V, why),
#define NEED_FAMILY(family, why)                                                                   \
	{                                                                                          \
		.number = SCMP_SYS(socket), .roles = LOOPS, .need = VMM_NEED_NETWORK, .arg = 0,    \
		.mask = UINT32_MAX, .value = (family), .reason = (why)                             \
	}

const struct call calls[] = {
	/* The path of every exit first. */
	KVM_REQUESTS_OF_EXITS(VCPU_REQUEST)
	CALL(read, ALL, "eventfds, timerfds, consoles, taps"),
	CALL(write, ALL, "eventfds, consoles, log lines, the report of a crash"),
	CALL(futex, ALL, "locks, conditions, joining threads"),

	/* Memory and threads, by the C library. */
	CALL(brk, ALL, "malloc"),
	WITH(mmap, ALL, 2, PROT_EXEC, 0, "malloc, stacks; never executable"),
	WITH(mprotect, ALL, 2, PROT_EXEC, 0, "malloc, stacks; never executable"),
	CALL(munmap, ALL, "malloc, stacks, RAM at the end"),
	CALL(mremap, ALL, "realloc"),
	CALL(madvise, ALL, "malloc, stacks of threads that end, discarded RAM"),
	CALL(exit, ALL, "the end of a thread"),
	CALL(exit_group, ALL, "the end of the process; a second SIGTERM"),
	CALL(rt_sigprocmask, ALL, "starting threads, abort"),
	CALL(rt_sigreturn, ALL, "the end of a signal handler"),
	CALL(rt_sigaction, ALL, "the default action, to end by the signal of a crash"),
	CALL(sigaltstack, ALL, "a stack for handlers"),
	WITH(tgkill, ALL, 0, UINT32_MAX, FILTER_OWN_PROCESS, "kicks of vCPUs, raise, abort"),
	CALL(getpid, ALL, "raise, abort"),
	CALL(gettid, ALL, "raise, the report of a crash"),
	CALL(restart_syscall, ALL, "a wait that a stop signal interrupted"),
	CALL(pause, ALL, "a second crash waits for the end of the first"),
	CALL(sched_yield, ALL, "locks of the C library"),
	CALL(clock_gettime, ALL, "time, where the host's clock source needs the kernel for it"),
	CALL(gettimeofday, ALL, "likewise"),
	CALL(time, ALL, "likewise"),
	CALL(clock_nanosleep, ALL, "short waits"),
	CALL(nanosleep, ALL, "short waits"),
	CALL(getrandom, ALL, "malloc's secrets, virtio-rng"),
	WITH(prctl, ALL, 0, UINT32_MAX, PR_GET_NAME, "the report of a crash"),
	WITH(prctl, ALL, 0, UINT32_MAX, PR_SET_NAME, "names of threads"),
	CALL(getpgrp, ALL, "is the terminal ours, before its mode is put back"),
	IOCTL(TIOCGPGRP, ALL, "likewise"),
	IOCTL(TCSETS, ALL, "the terminal's mode, at every way out"),
	IOCTL(TCGETS, ALL, "likewise"),

	/* I/O on what is open. */
	CALL(readv, LOOPS | W, "consoles, taps, disks"),
	CALL(writev, LOOPS | W | H, "consoles, taps, disks"),
	CALL(close, LOOPS | V, "eventfds of queues and interrupts, clients"),
	CALL(poll, LOOPS | V | H, "is the client there; masked interrupts; a full pipe of the log"),
	/* Not F_SETOWN and F_SETSIG, which send signals to any process of the user. */
	FCNTL(F_GETFL, LOOPS, "flags of clients and connections"),
	FCNTL(F_SETFL, LOOPS, "likewise"),
	FCNTL(F_GETFD, LOOPS, "likewise"),
	FCNTL(F_SETFD, LOOPS, "likewise"),
	FCNTL(F_OFD_SETLK, LOOPS, "the lock of an image, at the end"),
	WITH(sendto, LOOPS, 4, UINT64_MAX, 0, "a console on a socket; to no other address"),
	WITH(recvfrom, LOOPS, 4, UINT64_MAX, 0, "a console on a socket"),
	CALL(fstat, LOOPS | W, "what a client or a disk is"),
	CALL(newfstatat, LOOPS | W, "fstat(3) of newer C libraries; names at the end of a console"),
	CALL(lseek, LOOPS | W, "size of a disk, stdio"),
	CALL(pread64, LOOPS | W, "disks"),
	CALL(pwrite64, LOOPS | W, "disks"),
	CALL(preadv, LOOPS | W | V, "disks; on a vCPU those in memory"),
	CALL(pwritev, LOOPS | W | V, "disks; on a vCPU those in memory"),
	CALL(preadv2, LOOPS | W, "disks"),
	CALL(pwritev2, LOOPS | W, "disks"),
	CALL(fdatasync, LOOPS | W, "flushes of disks"),
	CALL(fsync, LOOPS | W, "flushes of disks"),
	CALL(fallocate, LOOPS | W, "discarded and zeroed blocks"),
	CALL(ftruncate, LOOPS | W, "discarded blocks at the end of an image"),
	CALL(sync_file_range, LOOPS | W, "flushes of disks"),
	NEED_IOCTL(BLKDISCARD, LOOPS | W, VMM_NEED_DISK, "discarded blocks of a block device"),
	NEED_IOCTL(BLKZEROOUT, LOOPS | W, VMM_NEED_DISK, "zeroed blocks of a block device"),
	NEED_IOCTL(BLKGETSIZE64, LOOPS, VMM_NEED_DISK, "size of a block device"),
	NEED(io_uring_enter, LOOPS, VMM_NEED_IO_URING,
		"requests to rings that exist, which take reads, writes and flushes only"),
	NEED(io_uring_register, LOOPS, VMM_NEED_IO_URING, "files of rings that exist"),

	/* Event loops. */
	CALL(epoll_wait, LOOPS, "waits of the loop"),
	CALL(epoll_pwait, LOOPS, "waits of the loop"),
	CALL(epoll_ctl, LOOPS, "watches"),
	IOCTL(FIONBIO, LOOPS, "fds of new watches, by libuv"),
	CALL(epoll_create1, LOOPS, "a console on a shared terminal"),
	CALL(timerfd_create, LOOPS, "timers of devices"),
	CALL(timerfd_settime, LOOPS | V, "timers; vCPUs arm those of the clock device"),
	CALL(eventfd2, LOOPS | V, "queues and interrupts that a driver switches on"),
	CALL(accept4, LOOPS, "clients of consoles"),

	/* Worker threads are started by the first blocking work. */
	WITH(clone, LOOPS, 0, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM, "worker threads"),
	REFUSE(clone3, LOOPS, ENOSYS, "its flags are in memory; the C library then uses clone"),
	CALL(set_robust_list, ALL, "the start of a thread"),
	CALL(rseq, ALL, "the start of a thread"),
	WITH(prlimit64, LOOPS, 2, UINT64_MAX, 0, "size of the stacks of worker threads; only read"),
	CALL(sched_getaffinity, LOOPS, "stacks of threads"),
	CALL(seccomp, LOOPS, "a worker thread gives up more than its loop"),

	KVM_REQUESTS_OF_VCPUS(VCPU_REQUEST)
	KVM_REQUESTS_OF_DEVICES(DEVICE_REQUEST)

	/* Taps and vhost-net. */
	NEED_IOCTL(TUNSETOFFLOAD, LOOPS, VMM_NEED_TAP, "offloads that a driver takes"),
	NEED_IOCTL(TUNSETQUEUE, LOOPS, VMM_NEED_TAP, "queue pairs that a driver uses"),
	NEED_IOCTL(VHOST_SET_FEATURES, LOOPS, VMM_NEED_TAP, "a queue that vhost takes over"),
	NEED_IOCTL(VHOST_SET_MEM_TABLE, LOOPS, VMM_NEED_TAP, "likewise"),
	NEED_IOCTL(VHOST_SET_VRING_NUM, LOOPS, VMM_NEED_TAP, "likewise"),
	NEED_IOCTL(VHOST_SET_VRING_BASE, LOOPS, VMM_NEED_TAP, "likewise"),
	NEED_IOCTL(VHOST_GET_VRING_BASE, LOOPS, VMM_NEED_TAP, "a queue that vhost gives back"),
	NEED_IOCTL(VHOST_SET_VRING_ADDR, LOOPS, VMM_NEED_TAP, "a queue that vhost takes over"),
	NEED_IOCTL(VHOST_SET_VRING_KICK, LOOPS, VMM_NEED_TAP, "likewise"),
	NEED_IOCTL(VHOST_SET_VRING_CALL, LOOPS, VMM_NEED_TAP, "likewise"),
	NEED_IOCTL(VHOST_NET_SET_BACKEND, LOOPS, VMM_NEED_TAP, "likewise"),

	/* The user network: the guest's connections are sockets here. */
	NEED_FAMILY(AF_INET, "connections of the guest"),
	NEED_FAMILY(AF_INET6, "connections of the guest"),
	{.number = SCMP_SYS(socket),
		.roles = LOOPS,
		.need = VMM_NEED_NETWORK,
		.arg = 0,
		.mask = UINT32_MAX,
		.value = AF_UNIX,
		.error = EAFNOSUPPORT,
		.reason = "the C library, for a name server's scope; it takes AF_INET then"},
	NEED(bind, LOOPS, VMM_NEED_NETWORK, "connections of the guest"),
	NEED(connect, LOOPS, VMM_NEED_NETWORK, "connections of the guest"),
	NEED(listen, LOOPS, VMM_NEED_NETWORK, "connections of the guest"),
	NEED(accept, LOOPS, VMM_NEED_NETWORK, "host forwards"),
	NEED(shutdown, LOOPS, VMM_NEED_NETWORK, "half-closed connections"),
	NEED(getsockname, LOOPS, VMM_NEED_NETWORK, "connections of the guest"),
	NEED(getpeername, LOOPS, VMM_NEED_NETWORK, "connections of the guest"),
	NEED(getsockopt, LOOPS, VMM_NEED_NETWORK, "errors of connections"),
	NEED(setsockopt, LOOPS, VMM_NEED_NETWORK, "options of connections"),
	NEED(sendto, LOOPS, VMM_NEED_NETWORK, "connections of the guest"),
	NEED(sendmsg, LOOPS, VMM_NEED_NETWORK, "connections of the guest"),
	NEED(recvfrom, LOOPS, VMM_NEED_NETWORK, "connections of the guest"),
	NEED(recvmsg, LOOPS, VMM_NEED_NETWORK, "connections of the guest"),
	NEED_IOCTL(SIOCGIFINDEX, LOOPS, VMM_NEED_NETWORK, "the scope of a name server's address"),
	NEED_IOCTL(FIONREAD, LOOPS, VMM_NEED_NETWORK, "what is left of a connection"),
	{.number = SCMP_SYS(openat),
		.roles = LOOPS,
		.need = VMM_NEED_NETWORK,
		.arg = 2,
		.mask = O_ACCMODE | O_CREAT | O_TRUNC,
		.value = O_RDONLY,
		.reason = "/etc/resolv.conf: name servers of the host"},

	/* The end of a machine. */
	CALL(unlinkat, M, "names of console sockets and pseudo terminals"),
	CALL(readlinkat, M, "is the link to a pseudo terminal still ours"),
	CALL(rt_sigtimedwait, M, "signals at the end of the process"),

	{.reason = NULL},
};
