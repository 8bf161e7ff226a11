/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting a thread of vmm: how all of them are alike.
 */
#ifndef THREAD_THREAD_H
#define THREAD_THREAD_H

#include <pthread.h>
#include <stddef.h>

/*
 * With the 8 MiB of the C library a stack holds whole huge pages. Where those are handed out
 * unasked ("always", as Debian does) the first touch of such a stack clears 2 MiB and keeps them.
 */
#define THREAD_STACK_BYTES ((size_t)1 << 20)

/**
 * Starts a thread with all signals blocked and a stack of THREAD_STACK_BYTES. The caller joins it.
 * Any thread. Returns 0 or an errno (EAGAIN: too many threads, ENOMEM).
 */
int thread_start(pthread_t *ret_thread, void *(*body)(void *arg), void *arg);

#endif
