//! Constants of `zmq.h`: option numbers, flags and events.

// Socket types.

/// Exclusive pair with one peer.
pub const ZMQ_PAIR: u32 = 0;
/// Publishes to subscribers.
pub const ZMQ_PUB: u32 = 1;
/// Subscribes to publishers.
pub const ZMQ_SUB: u32 = 2;
/// Sends a request, then receives its reply.
pub const ZMQ_REQ: u32 = 3;
/// Receives a request, then sends its reply.
pub const ZMQ_REP: u32 = 4;
/// Sends round robin, receives fair-queued.
pub const ZMQ_DEALER: u32 = 5;
/// Addresses its peers by routing id, in the first frame.
pub const ZMQ_ROUTER: u32 = 6;
/// Receives from PUSH sockets.
pub const ZMQ_PULL: u32 = 7;
/// Sends round robin to PULL sockets.
pub const ZMQ_PUSH: u32 = 8;
/// PUB that receives subscriptions as messages.
pub const ZMQ_XPUB: u32 = 9;
/// SUB that sends subscriptions as messages.
pub const ZMQ_XSUB: u32 = 10;
/// Raw TCP.
pub const ZMQ_STREAM: u32 = 11;

// Context options.

/// Number of I/O threads; must be set before the first socket.
pub const ZMQ_IO_THREADS: u32 = 1;
/// Maximum number of sockets.
pub const ZMQ_MAX_SOCKETS: u32 = 2;
/// Upper limit of ZMQ_MAX_SOCKETS (get only).
pub const ZMQ_SOCKET_LIMIT: u32 = 3;
/// Maximum message size in bytes.
pub const ZMQ_MAX_MSGSZ: u32 = 5;
/// The size of `zmq_msg_t` (get only).
pub const ZMQ_MSG_T_SIZE: u32 = 6;
/// A number that prefixes the names of the I/O threads.
pub const ZMQ_THREAD_NAME_PREFIX: u32 = 9;
/// Whether terminating the context waits for lingering sockets by default.
pub const ZMQ_BLOCKY: u32 = 70;

// Socket options.

/// Bit mask of the I/O threads that serve the socket.
pub const ZMQ_AFFINITY: u32 = 4;
/// The identity of this socket at a ROUTER.
pub const ZMQ_ROUTING_ID: u32 = 5;
/// Adds a subscription.
pub const ZMQ_SUBSCRIBE: u32 = 6;
/// Removes a subscription.
pub const ZMQ_UNSUBSCRIBE: u32 = 7;
/// Multicast rate in kbit/s.
pub const ZMQ_RATE: u32 = 8;
/// Multicast recovery time in ms.
pub const ZMQ_RECOVERY_IVL: u32 = 9;
/// The kernel's send buffer in bytes.
pub const ZMQ_SNDBUF: u32 = 11;
/// The kernel's receive buffer in bytes.
pub const ZMQ_RCVBUF: u32 = 12;
/// Whether more frames of the message being received follow.
pub const ZMQ_RCVMORE: u32 = 13;
/// An edge-triggered descriptor: readable when ZMQ_EVENTS has to be read.
pub const ZMQ_FD: u32 = 14;
/// Possible operations without blocking: ZMQ_POLLIN, ZMQ_POLLOUT.
pub const ZMQ_EVENTS: u32 = 15;
/// The type of the socket.
pub const ZMQ_TYPE: u32 = 16;
/// How long unsent messages survive the socket, ms; -1 without limit.
pub const ZMQ_LINGER: u32 = 17;
/// Pause before reconnecting, ms; -1 disables it.
pub const ZMQ_RECONNECT_IVL: u32 = 18;
/// Maximum length of the queue of connections that are not yet accepted.
pub const ZMQ_BACKLOG: u32 = 19;
/// Upper limit of the growing pause before reconnecting, ms.
pub const ZMQ_RECONNECT_IVL_MAX: u32 = 21;
/// Maximum size of a received frame in bytes; a larger one ends the connection. -1 means no limit.
pub const ZMQ_MAXMSGSIZE: u32 = 22;
/// High water mark: queued outgoing messages per peer; 0 means no limit.
pub const ZMQ_SNDHWM: u32 = 23;
/// High water mark: queued incoming messages per peer; 0 means no limit.
pub const ZMQ_RCVHWM: u32 = 24;
/// Multicast hops.
pub const ZMQ_MULTICAST_HOPS: u32 = 25;
/// How long a receive blocks, ms; -1 without limit.
pub const ZMQ_RCVTIMEO: u32 = 27;
/// How long a send blocks, ms; -1 without limit.
pub const ZMQ_SNDTIMEO: u32 = 28;
/// The last bound endpoint, wildcards resolved.
pub const ZMQ_LAST_ENDPOINT: u32 = 32;
/// Whether sending to an unknown peer fails with EHOSTUNREACH instead of dropping the message.
pub const ZMQ_ROUTER_MANDATORY: u32 = 33;
/// SO_KEEPALIVE; -1 for the system's default.
pub const ZMQ_TCP_KEEPALIVE: u32 = 34;
/// TCP_KEEPCNT; -1 for the system's default.
pub const ZMQ_TCP_KEEPALIVE_CNT: u32 = 35;
/// TCP_KEEPIDLE in s; -1 for the system's default.
pub const ZMQ_TCP_KEEPALIVE_IDLE: u32 = 36;
/// TCP_KEEPINTVL in s; -1 for the system's default.
pub const ZMQ_TCP_KEEPALIVE_INTVL: u32 = 37;
/// Whether messages are queued only for completed connections.
pub const ZMQ_IMMEDIATE: u32 = 39;
/// Whether XPUB reports repeated subscriptions.
pub const ZMQ_XPUB_VERBOSE: u32 = 40;
/// Whether IPv6 is enabled.
pub const ZMQ_IPV6: u32 = 42;
/// The security mechanism in use.
pub const ZMQ_MECHANISM: u32 = 43;
/// Whether the socket is a PLAIN server.
pub const ZMQ_PLAIN_SERVER: u32 = 44;
/// PLAIN user name.
pub const ZMQ_PLAIN_USERNAME: u32 = 45;
/// PLAIN password.
pub const ZMQ_PLAIN_PASSWORD: u32 = 46;
/// Whether the socket is a CURVE server.
pub const ZMQ_CURVE_SERVER: u32 = 47;
/// CURVE: own public key.
pub const ZMQ_CURVE_PUBLICKEY: u32 = 48;
/// CURVE: own secret key.
pub const ZMQ_CURVE_SECRETKEY: u32 = 49;
/// CURVE: the server's public key.
pub const ZMQ_CURVE_SERVERKEY: u32 = 50;
/// Whether an empty message is sent to a ROUTER on each connection.
pub const ZMQ_PROBE_ROUTER: u32 = 51;
/// Whether REQ matches replies with requests.
pub const ZMQ_REQ_CORRELATE: u32 = 52;
/// Whether REQ may send again before the reply.
pub const ZMQ_REQ_RELAXED: u32 = 53;
/// Whether only the last message is kept.
pub const ZMQ_CONFLATE: u32 = 54;
/// The ZAP domain.
pub const ZMQ_ZAP_DOMAIN: u32 = 55;
/// Whether a new connection takes over a routing id that is in use.
pub const ZMQ_ROUTER_HANDOVER: u32 = 56;
/// IP type of service.
pub const ZMQ_TOS: u32 = 57;
/// The routing id of the next connected peer.
pub const ZMQ_CONNECT_ROUTING_ID: u32 = 61;
/// Whether the socket is a GSSAPI server.
pub const ZMQ_GSSAPI_SERVER: u32 = 62;
/// GSSAPI principal.
pub const ZMQ_GSSAPI_PRINCIPAL: u32 = 63;
/// GSSAPI principal of the server.
pub const ZMQ_GSSAPI_SERVICE_PRINCIPAL: u32 = 64;
/// Whether GSSAPI is not encrypted.
pub const ZMQ_GSSAPI_PLAINTEXT: u32 = 65;
/// Maximum duration of the handshake, ms; 0 without limit.
pub const ZMQ_HANDSHAKE_IVL: u32 = 66;
/// SOCKS5 proxy for TCP connections.
pub const ZMQ_SOCKS_PROXY: u32 = 68;
/// Whether a full XPUB blocks instead of dropping messages.
pub const ZMQ_XPUB_NODROP: u32 = 69;
/// A message for each new subscriber.
pub const ZMQ_XPUB_WELCOME_MSG: u32 = 72;
/// Whether STREAM reports connects and disconnects.
pub const ZMQ_STREAM_NOTIFY: u32 = 73;
/// Interval of ZMTP pings, ms; 0 disables them.
pub const ZMQ_HEARTBEAT_IVL: u32 = 75;
/// Time without traffic after which the peer ends the connection, ms.
pub const ZMQ_HEARTBEAT_TTL: u32 = 76;
/// Maximum time for the answer to a ping, ms.
pub const ZMQ_HEARTBEAT_TIMEOUT: u32 = 77;
/// Maximum duration of a TCP connect, ms; 0 for the system's default.
pub const ZMQ_CONNECT_TIMEOUT: u32 = 79;
/// Maximum duration of TCP retransmission, ms; 0 for the system's default.
pub const ZMQ_TCP_MAXRT: u32 = 80;
/// Whether several threads may use the socket (get only).
pub const ZMQ_THREAD_SAFE: u32 = 81;
/// An existing descriptor to listen on or to connect with.
pub const ZMQ_USE_FD: u32 = 89;
/// The network interface to bind to.
pub const ZMQ_BINDTODEVICE: u32 = 92;

// Draft socket options.

/// Whether an empty ZAP domain means no authentication.
pub const ZMQ_ZAP_ENFORCE_DOMAIN: u32 = 93;
/// Whether ROUTER delivers an empty message when a peer connects or disconnects:
/// ZMQ_NOTIFY_CONNECT, ZMQ_NOTIFY_DISCONNECT.
pub const ZMQ_ROUTER_NOTIFY: u32 = 97;
/// Maximum number of bytes in one read from a connection.
pub const ZMQ_IN_BATCH_SIZE: u32 = 101;
/// Maximum number of bytes in one write to a connection.
pub const ZMQ_OUT_BATCH_SIZE: u32 = 102;
/// Bit mask of the conditions that end reconnecting.
pub const ZMQ_RECONNECT_STOP: u32 = 109;
/// The first message on each new connection.
pub const ZMQ_HELLO_MSG: u32 = 110;
/// A message that this socket receives, as if from the peer, when a connection ends.
pub const ZMQ_DISCONNECT_MSG: u32 = 111;
/// SO_PRIORITY of the connections.
pub const ZMQ_PRIORITY: u32 = 112;
/// SO_BUSY_POLL of the connections.
pub const ZMQ_BUSY_POLL: u32 = 113;
/// A message that a connecting socket receives when its connection is lost and will be opened
/// again.
pub const ZMQ_HICCUP_MSG: u32 = 114;

// Values of ZMQ_ROUTER_NOTIFY.

/// Report peers that connect.
pub const ZMQ_NOTIFY_CONNECT: u32 = 1;
/// Report peers that disconnect.
pub const ZMQ_NOTIFY_DISCONNECT: u32 = 2;

// Values of ZMQ_RECONNECT_STOP.

/// The connection was refused.
pub const ZMQ_RECONNECT_STOP_CONN_REFUSED: u32 = 1;
/// The handshake failed.
pub const ZMQ_RECONNECT_STOP_HANDSHAKE_FAILED: u32 = 2;
/// The socket was disconnected.
pub const ZMQ_RECONNECT_STOP_AFTER_DISCONNECT: u32 = 4;

// Draft context options.

/// Whether received frames may share the receive buffer.
pub const ZMQ_ZERO_COPY_RECV: u32 = 10;

// Properties of a frame.

/// Whether more frames follow.
pub const ZMQ_MORE: u32 = 1;
/// Whether the bytes are shared with another frame.
pub const ZMQ_SHARED: u32 = 3;

// Flags of sending and receiving.

/// Fail with EAGAIN instead of blocking.
pub const ZMQ_DONTWAIT: u32 = 1;
/// More frames of the message follow.
pub const ZMQ_SNDMORE: u32 = 2;

// Security mechanisms.

/// No mechanism.
pub const ZMQ_NULL: u32 = 0;
/// User name and password in clear text.
pub const ZMQ_PLAIN: u32 = 1;
/// Elliptic-curve encryption and authentication.
pub const ZMQ_CURVE: u32 = 2;
/// Kerberos.
pub const ZMQ_GSSAPI: u32 = 3;

// Events of a socket monitor.

/// A connection was established.
pub const ZMQ_EVENT_CONNECTED: u32 = 1;
/// A connect is in progress.
pub const ZMQ_EVENT_CONNECT_DELAYED: u32 = 2;
/// A connect will be retried after a pause.
pub const ZMQ_EVENT_CONNECT_RETRIED: u32 = 4;
/// A socket was bound.
pub const ZMQ_EVENT_LISTENING: u32 = 8;
/// A socket could not be bound.
pub const ZMQ_EVENT_BIND_FAILED: u32 = 16;
/// A connection was accepted.
pub const ZMQ_EVENT_ACCEPTED: u32 = 32;
/// A connection could not be accepted.
pub const ZMQ_EVENT_ACCEPT_FAILED: u32 = 64;
/// A connection was closed locally.
pub const ZMQ_EVENT_CLOSED: u32 = 128;
/// A descriptor could not be closed.
pub const ZMQ_EVENT_CLOSE_FAILED: u32 = 0x100;
/// A connection was lost.
pub const ZMQ_EVENT_DISCONNECTED: u32 = 0x200;
/// The monitor ends.
pub const ZMQ_EVENT_MONITOR_STOPPED: u32 = 0x400;
/// The handshake failed; the value is an errno.
pub const ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL: u32 = 0x800;
/// The handshake succeeded.
pub const ZMQ_EVENT_HANDSHAKE_SUCCEEDED: u32 = 0x1000;
/// The handshake failed; the value is one of ZMQ_PROTOCOL_ERROR.
pub const ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL: u32 = 0x2000;
/// The authenticator refused; the value is its status.
pub const ZMQ_EVENT_HANDSHAKE_FAILED_AUTH: u32 = 0x4000;
/// All events.
pub const ZMQ_EVENT_ALL: u32 = 0xffff;

// Events of polling.

/// A message can be received.
pub const ZMQ_POLLIN: u32 = 1;
/// A message can be sent.
pub const ZMQ_POLLOUT: u32 = 2;
/// An error (descriptors only).
pub const ZMQ_POLLERR: u32 = 4;
/// Urgent data (descriptors only).
pub const ZMQ_POLLPRI: u32 = 8;
