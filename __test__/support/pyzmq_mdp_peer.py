"""A peer of pyzmq-mdp, which speaks MDP 0.1: broker, worker or client.

    pyzmq_mdp_peer.py broker ENDPOINT
    pyzmq_mdp_peer.py worker ENDPOINT SERVICE          echoes, each frame as it is
    pyzmq_mdp_peer.py client ENDPOINT SERVICE FRAME…   prints the frames of the reply
"""
import sys

import zmq
from zmq.eventloop import ioloop

if not hasattr(ioloop, "DelayedCallback"):

    class DelayedCallback(ioloop.PeriodicCallback):
        """Once, after so many ms. Of pyzmq's older versions, for which pyzmq-mdp was written."""

        def __init__(self, callback, delay):
            super().__init__(self.run_once, delay)
            self.once = callback

        def run_once(self):
            self.stop()
            self.once()

    ioloop.DelayedCallback = DelayedCallback

import mdp
from mdp.client import mdp_request


class Echo(mdp.MDPWorker):
    def on_request(self, msg):
        self.reply(msg)


def main(role, endpoint, *rest):
    context = zmq.Context()
    frames = [text.encode() for text in rest]
    if role == "client":
        socket = context.socket(zmq.REQ)
        socket.connect(endpoint)
        reply = mdp_request(socket, frames[0], frames[1:], 20)
        # The version comes first; its function takes that away alone.
        print("Got reply:", reply, flush=True)
        context.destroy(linger=0)
        return
    # Kept: what is collected hears nothing.
    peer = mdp.MDPBroker(context, endpoint) if role == "broker" else Echo(context, endpoint, frames[0])
    ioloop.IOLoop.instance().start()
    peer.shutdown()


main(*sys.argv[1:])
