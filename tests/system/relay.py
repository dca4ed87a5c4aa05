"""A TCP relay between two processes of a farm, whose connections can be cut or held up.

A thread per Relay. cut() ends every connection with a reset and refuses new ones until mend(); hold() keeps them
open and lets nothing through: what was said meanwhile arrives late, or never if cut() comes first.
"""

import selectors
import socket
import struct
import threading

PIECE = 65536
RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: close() answers with a reset


class Relay:
    """Listens on a loopback port of its own and passes everything on to `target`, another one."""

    def __init__(self, target):
        self.target = target
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(64)
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.peers = {}  # socket -> the one on the other side
        self.waiting = {}  # socket -> bytes it has not taken yet
        self.state = "open"
        self.lock = threading.Lock()
        self.wake, self.woken = socket.socketpair()
        self.selector.register(self.woken, selectors.EVENT_READ)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def cut(self):
        self.turn("cut")

    def hold(self):
        self.turn("held")

    def mend(self):
        self.turn("open")

    def close(self):
        self.turn("closed")
        self.thread.join(5)
        for one in (self.wake, self.woken, self.selector):
            one.close()

    def turn(self, state):
        with self.lock:
            self.state = state
        self.wake.send(b"x")

    # ---- the thread ------------------------------------------------------------------------------------------------
    def run(self):
        while True:
            with self.lock:
                state = self.state
            if state in ("cut", "closed"):
                while self.peers:
                    self.drop(next(iter(self.peers)))
            if state == "closed":
                self.listener.close()
                return
            self.watch(state)
            for key, events in self.selector.select():
                if key.fileobj is self.woken:
                    self.woken.recv(PIECE)
                elif key.fileobj is self.listener:
                    self.accept(state)
                elif state == "open":
                    self.serve(key.fileobj, events)

    def watch(self, state):
        """Only what may move is watched: a held relay does not read."""
        for one, peer in self.peers.items():
            events = 0
            if state == "open":
                events |= 0 if self.waiting[peer] else selectors.EVENT_READ
                events |= selectors.EVENT_WRITE if self.waiting[one] else 0
            registered = one in self.selector.get_map()
            if events and registered:
                self.selector.modify(one, events)
            elif events:
                self.selector.register(one, events)
            elif registered:
                self.selector.unregister(one)

    def accept(self, state):
        near, _ = self.listener.accept()
        far = socket.socket()
        try:
            if state == "cut":
                raise ConnectionError
            far.connect(("127.0.0.1", self.target))
        except OSError:
            for one in (near, far):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                one.close()
            return
        for one, peer in ((near, far), (far, near)):
            one.setblocking(False)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.peers[one] = peer
            self.waiting[one] = b""

    def serve(self, one, events):
        if one not in self.peers:
            return  # its other side ended it a moment ago
        try:
            if events & selectors.EVENT_WRITE:
                self.waiting[one] = self.waiting[one][one.send(self.waiting[one]) :]
            if events & selectors.EVENT_READ:
                piece = one.recv(PIECE)
                if not piece:
                    raise ConnectionError
                peer = self.peers[one]
                self.waiting[peer] += piece
                self.waiting[peer] = self.waiting[peer][peer.send(self.waiting[peer]) :]
        except BlockingIOError:
            pass
        except OSError:
            self.drop(one)

    def drop(self, one):
        for side in (one, self.peers[one]):
            if side in self.selector.get_map():
                self.selector.unregister(side)
            self.waiting.pop(side)
            self.peers.pop(side)
            side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            side.close()
