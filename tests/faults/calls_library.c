/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls into libraries, processes and threads, as their callers see them fail. What a library
 * cannot report (libuv and libconfig abort without memory) is not made to fail.
 */
#include "calls.h"

#include <dlfcn.h>
#include <libslirp.h>
#include <liburing.h>
#include <ltdl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
#include <uv.h>

CALL_DEFINE(FILE *, fopen, (const char *path, const char *mode), (path, mode), EMFILE, NULL, NULL,
	FAULT_CAN_FAIL)
CALL_DEFINE(
	FILE *, fdopen, (int fd, const char *mode), (fd, mode), ENOMEM, NULL, NULL, FAULT_CAN_FAIL)
CALL_DEFINE(FILE *, open_memstream, (char **text, size_t *bytes), (text, bytes), ENOMEM, NULL, NULL,
	FAULT_CAN_FAIL)
CALL_ERRNO(fork, (void), (), EAGAIN)
CALL_CODE(pthread_create,
	(pthread_t * thread, const pthread_attr_t *attributes, void *(*start)(void *), void *arg),
	(thread, attributes, start, arg), EAGAIN)
CALL_CODE(pthread_mutex_init, (pthread_mutex_t * mutex, const pthread_mutexattr_t *attributes),
	(mutex, attributes), ENOMEM)
CALL_CODE(pthread_cond_init, (pthread_cond_t * condition, const pthread_condattr_t *attributes),
	(condition, attributes), ENOMEM)
CALL_CODE(pthread_attr_setsigmask_np, (pthread_attr_t * attributes, const sigset_t *mask),
	(attributes, mask), ENOMEM)

CALL_CODE(uv_loop_init, (uv_loop_t * loop), (loop), UV_EMFILE)
CALL_CODE(uv_async_init, (uv_loop_t * loop, uv_async_t *async, uv_async_cb cb), (loop, async, cb),
	UV_EMFILE)
CALL_CODE(uv_poll_init, (uv_loop_t * loop, uv_poll_t *poll, int fd), (loop, poll, fd), UV_ENOMEM)

CALL_CODE(io_uring_queue_init_params,
	(unsigned int entries, struct io_uring *ring, struct io_uring_params *params),
	(entries, ring, params), -ENOMEM)
CALL_CODE(io_uring_register_files, (struct io_uring * ring, const int *files, unsigned int count),
	(ring, files, count), -ENOMEM)
CALL_CODE(io_uring_register,
	(unsigned int fd, unsigned int opcode, const void *arg, unsigned int count),
	(fd, opcode, arg, count), -ENOMEM)
/* EAGAIN says that it is to be tried again: a kernel that says so for ever is a disk that hangs. */
CALL_DEFINE(int, io_uring_submit, (struct io_uring * ring), (ring), -EAGAIN, -EAGAIN, -EINTR,
	FAULT_CAN_FAIL | FAULT_RECOVERS)

CALL_DEFINE(Slirp *, slirp_new, (const SlirpConfig *config, const SlirpCb *callbacks, void *opaque),
	(config, callbacks, opaque), EINVAL, NULL, NULL, FAULT_CAN_FAIL)
CALL_ERRNO(slirp_add_hostfwd,
	(Slirp * slirp, int udp, struct in_addr host, int host_port, struct in_addr guest,
		int guest_port),
	(slirp, udp, host, host_port, guest, guest_port), EADDRINUSE)

/* What runs there is none of ours: with the preset "coverage" it writes down what was counted. */
CALL_EXPORT int dlclose(void *library)
{
	int ret;

	fault_exempt_enter();
	ret = CALL_REAL(dlclose)(library);
	fault_exempt_leave();
	return ret;
}

CALL_CODE(lt_dlinit, (void), (), 1)
CALL_CODE(lt_dladvise_init, (lt_dladvise * advise), (advise), 1)
CALL_CODE(lt_dladvise_local, (lt_dladvise * advise), (advise), 1)
CALL_CODE(lt_dladvise_resident, (lt_dladvise * advise), (advise), 1)
CALL_DEFINE(lt_dlhandle, lt_dlopenadvise, (const char *path, lt_dladvise advise), (path, advise),
	ENOMEM, NULL, NULL, FAULT_CAN_FAIL)
CALL_DEFINE(void *, lt_dlsym, (lt_dlhandle library, const char *name), (library, name), ENOMEM,
	NULL, NULL, FAULT_CAN_FAIL)
