/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting a thread; see thread.h.
 */
#include "thread/thread.h"

#include <signal.h>

int thread_start(pthread_t *ret_thread, void *(*body)(void *arg), void *arg)
{
	pthread_attr_t attr;
	sigset_t all;
	int err = pthread_attr_init(&attr);

	if (err)
		return err;
	sigfillset(&all);
	err = pthread_attr_setsigmask_np(&attr, &all);
	if (!err)
		err = pthread_attr_setstacksize(&attr, THREAD_STACK_BYTES);
	if (!err)
		err = pthread_create(ret_thread, &attr, body, arg);
	pthread_attr_destroy(&attr);
	return err;
}
