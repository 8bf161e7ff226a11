/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drives libslirp from the device's loop: its sockets become watches, its timers timers. libslirp
 * has one call that names all fds it waits for and one that handles what became ready; the watches
 * are brought in line after each of them.
 */
#ifndef VIRTIO_NET_SLIRP_POLL_H
#define VIRTIO_NET_SLIRP_POLL_H

#include <slirp/libslirp.h>

#include "net.h"

struct slirp_poll;

/** What the user of libslirp does. All get the `opaque` of create. [loop] */
struct slirp_poll_uses {
	SlirpWriteCb send;          /* a frame for the guest */
	void (*sent)(void *opaque); /* that were all, for now */
	void (*guest_error)(const char *text, void *opaque);
};

/** [config] */
int32_t slirp_poll_create(struct net *net, const struct slirp_poll_uses *uses, void *opaque,
	struct slirp_poll **ret_poll);

/** After slirp_cleanup(). NULL is allowed. [config] */
void slirp_poll_destroy(struct slirp_poll *poll);

/** What slirp_new() is to be given, with the poll as its opaque pointer. */
const SlirpCb *slirp_poll_callbacks(const struct slirp_poll *poll);

/** The instance that was made with these callbacks. Fails if it did not get its timers. [config] */
int32_t slirp_poll_attach(struct slirp_poll *poll, Slirp *slirp);

/** Sockets are served from here to stop. [loop] */
void slirp_poll_start(struct slirp_poll *poll);
void slirp_poll_stop(struct slirp_poll *poll);

/** To be called before frames are given to libslirp: it does not look at the time itself. [loop] */
void slirp_poll_begin(struct slirp_poll *poll);

/**
 * To be called after each use of libslirp: sends what can be sent, looks which sockets it waits for
 * now, and calls `sent`. [loop]
 */
void slirp_poll_sync(struct slirp_poll *poll);

#endif
