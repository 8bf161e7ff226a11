# SPDX-License-Identifier: Apache-2.0
"""A disk whose power can be cut: it notes what is written and what is flushed, so that what a cut at any moment leaves can
be worked out afterwards, as often as one likes. Served as /dev/nbdN of this kernel, or to QEMU through a socket."""

import contextlib
import fcntl
import glob
import os
import random
import socket
import struct
import threading

SECTOR = 512
CHUNK = 64 * 1024
TRIES = 50

# The protocol of network block devices: its oldest greeting, which needs no negotiation, then requests and replies.
GREETING = b"NBDMAGIC" + bytes.fromhex("0000420281861253")
REQUEST = struct.Struct(">IHHQQI")
REPLY = struct.Struct(">IIQ")
REQUEST_MAGIC, REPLY_MAGIC = 0x25609513, 0x67446698
READ, WRITE, DISCONNECT, FLUSH = range(4)
HAS_FLAGS, SEND_FLUSH = 1, 4

# ioctls of <linux/nbd.h>
NBD_SET_SOCK, NBD_SET_BLKSIZE, NBD_DO_IT, NBD_CLEAR_SOCK = 0xAB00, 0xAB01, 0xAB03, 0xAB04
NBD_SET_SIZE_BLOCKS, NBD_DISCONNECT, NBD_SET_FLAGS = 0xAB07, 0xAB08, 0xAB0A


class Disk:
    """`log` has what happened, in its order: (offset, data) for a write, None for a flush that has been confirmed."""

    def __init__(self, content):
        self.first = bytes(content)
        self.content = bytearray(content)
        self.log = []
        self.reader = None  # id of the process that is served through a socket

    def serve(self, connection):
        """Until the other side closes the connection."""
        with contextlib.suppress(ConnectionError), connection:
            while self._answer(connection):
                pass

    def _answer(self, connection):
        _, _, kind, handle, offset, length = REQUEST.unpack(_receive(connection, REQUEST.size))
        data = b""
        if kind == DISCONNECT:
            return False
        if kind == WRITE:
            written = _receive(connection, length)
            self.content[offset : offset + length] = written
            self.log.append((offset, bytes(written)))
        elif kind == READ:
            data = self.content[offset : offset + length]
        elif kind == FLUSH:
            self.log.append(None)
        connection.sendall(REPLY.pack(REPLY_MAGIC, 0, handle) + data)
        return True

    def listen(self, path):
        """Serves whoever connects to a Unix socket, one at a time; returns the socket that listens."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()

        def accept():
            with contextlib.suppress(OSError):  # closed: the end
                while True:
                    connection, _ = listener.accept()
                    peer = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
                    self.reader = struct.unpack("3i", peer)[0]
                    flags = struct.pack(">QI", len(self.content), HAS_FLAGS | SEND_FLUSH)
                    connection.sendall(GREETING + flags + bytes(124))
                    self.serve(connection)

        threading.Thread(target=accept, daemon=True).start()
        return listener

    @contextlib.contextmanager
    def attached(self):
        """The path of a block device of this machine with this content; None where the kernel has none to give."""
        path = _free_device()
        if not path:
            yield None
            return
        ours, theirs = socket.socketpair()
        device = os.open(path, os.O_RDWR)
        fcntl.ioctl(device, NBD_SET_BLKSIZE, SECTOR)
        fcntl.ioctl(device, NBD_SET_SIZE_BLOCKS, len(self.content) // SECTOR)
        fcntl.ioctl(device, NBD_SET_FLAGS, HAS_FLAGS | SEND_FLUSH)
        fcntl.ioctl(device, NBD_SET_SOCK, theirs.fileno())
        threads = [
            threading.Thread(target=self.serve, args=(ours,)),
            threading.Thread(target=fcntl.ioctl, args=(device, NBD_DO_IT)),
        ]
        for thread in threads:
            thread.start()
        try:
            yield path
        finally:
            fcntl.ioctl(device, NBD_DISCONNECT)
            for thread in reversed(threads):
                thread.join()
            fcntl.ioctl(device, NBD_CLEAR_SOCK)
            os.close(device)
            theirs.close()


def _receive(connection, length):
    data = bytearray(length)
    view = memoryview(data)
    while view:
        got = connection.recv_into(view)
        if not got:
            raise ConnectionResetError
        view = view[got:]
    return data


def _free_device():
    for path in sorted(glob.glob("/dev/nbd[0-9]*")):
        if not os.path.exists(f"/sys/block/{os.path.basename(path)}/pid"):
            return path
    return None


class States:
    """What is on a disk at places of its log; they are asked for in ascending order."""

    def __init__(self, first, log):
        self.log = log
        self.stable = bytearray(first)
        self.unflushed = []
        self.place = 0

    def _go_to(self, place):
        for entry in self.log[self.place : place]:
            if entry:
                self.unflushed.append(entry)
            else:
                for offset, data in self.unflushed:
                    self.stable[offset : offset + len(data)] = data
                self.unflushed.clear()
        self.place = place

    def after_cut(self, place, seed):
        """A content that a power cut there may leave: of what was not flushed any sectors, written in any order."""
        self._go_to(place)
        chance = random.Random(seed)
        content = self.stable[:]
        kept = chance.choice((0, 0.5, 0.9, 1))
        for offset, data in chance.sample(self.unflushed, len(self.unflushed)):
            for at in range(0, len(data), SECTOR):
                if chance.random() < kept:
                    content[offset + at : offset + at + SECTOR] = data[at : at + SECTOR]
        return content

    def in_order(self, place):
        """The content with all writes up to there and none after."""
        self._go_to(place)
        content = self.stable[:]
        for offset, data in self.unflushed:
            content[offset : offset + len(data)] = data
        return content


def write_sparse(content, path):
    """Makes a file of it."""
    with open(path, "wb") as file:
        file.truncate(len(content))
        for at in range(0, len(content), CHUNK):
            chunk = content[at : at + CHUNK]
            if chunk.count(0) != len(chunk):
                file.seek(at)
                file.write(chunk)
    return path
