//  Counts the received bytes of a connection, the bytes that the system has taken for it, and resets, and bounds the
//  bytes that libzmq keeps of it. libzmq keeps the parts of a message until the last one has arrived, and limits the size of each
//  part only. This file precedes libzmq's `stream_engine_base.cpp` in its unit, whose calls of some functions it redirects
//  by macros; libzmq's own files stay unchanged.

//  These declare the functions.
#include "precompiled.hpp"
#include "macros.hpp"
#include "ip.hpp"
#include "msg.hpp"
#include "options.hpp"
#include "poller.hpp"
#include "session_base.hpp"
#include "stream_engine_base.hpp"
#include "tcp.hpp"

#if !defined ZMQ_HAVE_WINDOWS
#include <sys/socket.h>
#include <time.h>
#endif

namespace
{
//  What a part costs beyond its two bytes on the wire.
const uint64_t part_cost = 62;

//  The maximum number of parts of a message. More than a millisecond would pass until they are received. libzmq
//  passes the part that finds the queue full a second time, so it is counted twice.
const uint32_t most_parts = 16384 + 8;

//  The maximum number of bytes before the end of the handshake. They need less than one kilobyte.
const uint64_t most_of_handshake = 8192;

//  The number of bytes that are read at once near a limit.
const uint64_t most_at_once = 65536;

//  The part of an incomplete message that is always read; less if there are very many connections.
const uint64_t least_of_message = 1024;
const uint64_t most_of_small = 65536;

//  Why a connection was ended here.
enum
{
    too_many_parts = 1,
    too_long_handshake = 2
};

//  The counts of a connection. Indexed by descriptor; reset by each new connection. Written by the I/O thread unless
//  stated otherwise.
struct counts_t
{
    //  Bytes, and the cost of parts.
    std::atomic<uint64_t> received;
    //  Its value when a message was last complete. The first one of a ROUTER is the routing id, at the end of the handshake.
    std::atomic<uint64_t> complete;
    //  Bytes that the system has taken for the connection.
    std::atomic<uint64_t> sent;
    //  The permitted size of an incomplete message although all connections have too much. The broker writes it.
    std::atomic<uint64_t> allowed;
    //  How many connections with this descriptor were reset, or given up by the system. It only grows, so that it tells of
    //  the end of an earlier connection too.
    std::atomic<uint32_t> resets;
    //  Parts of the message that has begun.
    std::atomic<uint32_t> parts;
    //  Why it was ended here, until the broker asks.
    std::atomic<int> cut;
    //  The number of the connection among those with this descriptor, from 1 on.
    std::atomic<uint32_t> serial;
    //  The number of the connection to end at its next read, whatever the system has received. The broker writes it too.
    std::atomic<uint32_t> ends;
    //  Whether bytes wait that must not be read yet.
    std::atomic<bool> waits;
    //  Whether it belongs to a ROUTER.
    std::atomic<bool> is_limited;
    //  Whether its handshake has ended. Connections without a key take nothing from others.
    std::atomic<bool> is_pooled;
};

//  The counts of descriptors, in tables that are made for the first of their descriptors.
const size_t table_size = 4096;
const size_t most_tables = 4096;
std::atomic<counts_t *> tables[most_tables];

//  The incomplete messages at all ROUTERs together, their connections, and the size of the messages up to which all
//  connections are read.
std::atomic<uint64_t> pool;
std::atomic<uint64_t> pooled;
std::atomic<uint64_t> room;

//  The counts of this descriptor. NULL if it never was that of a connection.
counts_t *counts_of (int64_t fd_)
{
    const uint64_t table = static_cast<uint64_t> (fd_) / table_size;
    if (fd_ < 0 || table >= most_tables)
        return NULL;
    counts_t *counts = tables[table].load (std::memory_order_acquire);
    return counts ? &counts[static_cast<size_t> (fd_) % table_size] : NULL;
}

void make_table (int64_t fd_)
{
    const uint64_t table = static_cast<uint64_t> (fd_) / table_size;
    if (fd_ < 0 || table >= most_tables || counts_of (fd_))
        return;
    counts_t *counts = new (std::nothrow) counts_t[table_size]();
    counts_t *none = NULL;
    if (counts && !tables[table].compare_exchange_strong (none, counts))
        delete[] counts;
}

uint64_t unfinished (const counts_t &counts_)
{
    //  In this order: if a message becomes complete between the two, the result is too small, which is harmless.
    const uint64_t now = counts_.received.load (std::memory_order_acquire);
    const uint64_t before = counts_.complete.load (std::memory_order_acquire);
    //  Another connection may have begun between the two.
    const uint64_t then = counts_.received.load (std::memory_order_relaxed);
    return then >= now && now > before ? now - before : 0;
}

void add (counts_t &counts_, uint64_t bytes_)
{
    counts_.received.store (counts_.received.load (std::memory_order_relaxed) + bytes_, std::memory_order_release);
    if (counts_.is_pooled.load (std::memory_order_relaxed))
        pool.fetch_add (bytes_, std::memory_order_relaxed);
}

void finish (counts_t &counts_)
{
    const uint64_t bytes = unfinished (counts_);
    if (counts_.is_pooled.load (std::memory_order_relaxed)) {
        //  Most messages share their last read with the one before.
        if (bytes > 0)
            pool.fetch_sub (bytes, std::memory_order_relaxed);
    } else if (counts_.is_limited.load (std::memory_order_relaxed)) {
        counts_.is_pooled.store (true, std::memory_order_relaxed);
        pooled.fetch_add (1, std::memory_order_relaxed);
    }
    counts_.complete.store (counts_.received.load (std::memory_order_relaxed), std::memory_order_relaxed);
    counts_.parts.store (0, std::memory_order_relaxed);
}

//  The size of an incomplete message that is read whatever others send.
uint64_t small_size ()
{
    const uint64_t count = pooled.load (std::memory_order_relaxed);
    const uint64_t share = room.load (std::memory_order_relaxed) / 4 / (count ? count : 1);
    return share < least_of_message ? least_of_message : share > most_of_small ? most_of_small : share;
}

//  The number of bytes that may be read now.
uint64_t readable (const counts_t &counts_)
{
    if (counts_.complete.load (std::memory_order_relaxed) == 0) {
        const uint64_t received = counts_.received.load (std::memory_order_relaxed);
        return received < most_of_handshake ? most_of_handshake - received : 0;
    }
    const uint64_t most = room.load (std::memory_order_relaxed);
    const uint64_t all = pool.load (std::memory_order_relaxed);
    //  Not set.
    if (most == 0)
        return ~static_cast<uint64_t> (0);
    if (all < most)
        return all + most_at_once > most ? most_at_once : most - all;
    const uint64_t mine = unfinished (counts_);
    const uint64_t allowed = counts_.allowed.load (std::memory_order_relaxed);
    if (mine < allowed)
        return allowed - mine;
    const uint64_t small = small_size ();
    return mine < small ? small - mine : 0;
}

//  The system reports a connection with unread bytes again at once. The pause leaves processor time to the reader of the
//  bytes.
void rest ()
{
#if !defined ZMQ_HAVE_WINDOWS
    static thread_local timespec last;
    timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    const int64_t since = (now.tv_sec - last.tv_sec) * 1000000000LL + now.tv_nsec - last.tv_nsec;
    if (since < 1000000)
        return;
    const timespec time = {0, 500000};
    nanosleep (&time, NULL);
    clock_gettime (CLOCK_MONOTONIC, &last);
#endif
}

void shut_down (zmq::fd_t fd_)
{
#if defined ZMQ_HAVE_WINDOWS
    shutdown (fd_, SD_BOTH);
#else
    shutdown (fd_, SHUT_RDWR);
#endif
}

//  Notes the failure of a call. Before a broken pipe, the other side has closed the connection.
void note_failure (counts_t &counts_)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || errno == EPIPE)
        return;
    counts_.resets.store (counts_.resets.load (std::memory_order_relaxed) + 1, std::memory_order_release);
}

//  Ends this connection at its next read.
void cut (counts_t &counts_, int why_)
{
    counts_.cut.store (why_, std::memory_order_relaxed);
    counts_.ends.store (counts_.serial.load (std::memory_order_relaxed), std::memory_order_relaxed);
}
}

namespace zmq
{
//  Begins to count a new connection.
static fd_t zmq_sys_begins (fd_t fd_, int type_)
{
    make_table (fd_);
    counts_t *counts = counts_of (fd_);
    if (!counts)
        return fd_;
#if defined ZMQ_HAVE_WINDOWS
    //  The broker does not look at the counts there.
    const bool is_limited = false;
#else
    const bool is_limited = type_ == ZMQ_ROUTER;
#endif
    counts->serial.store (counts->serial.load (std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    //  In this order, see `unfinished`.
    counts->received.store (0, std::memory_order_relaxed);
    counts->complete.store (0, std::memory_order_release);
    counts->sent.store (0, std::memory_order_relaxed);
    counts->allowed.store (0, std::memory_order_relaxed);
    counts->parts.store (0, std::memory_order_relaxed);
    counts->cut.store (0, std::memory_order_relaxed);
    counts->waits.store (false, std::memory_order_relaxed);
    counts->is_pooled.store (false, std::memory_order_relaxed);
    counts->is_limited.store (is_limited, std::memory_order_relaxed);
    return fd_;
}

//  Handles the end of reading a connection. May be called twice.
static poller_t::handle_t zmq_sys_left (fd_t fd_, poller_t::handle_t handle_)
{
    counts_t *counts = counts_of (fd_);
    if (counts && counts->is_limited.load (std::memory_order_relaxed)) {
        //  One that has not joined the others does not join them now.
        counts->is_limited.store (false, std::memory_order_relaxed);
        finish (*counts);
        counts->waits.store (false, std::memory_order_relaxed);
        if (counts->is_pooled.exchange (false, std::memory_order_relaxed))
            pooled.fetch_sub (1, std::memory_order_relaxed);
    }
    return handle_;
}

//  Counts a message that the connection is about to pass to its socket. A connection whose message has too many parts
//  is shut down: libzmq reads its end, and drops the parts.
static msg_t *zmq_sys_passed (fd_t fd_, msg_t *msg_)
{
    counts_t *counts = counts_of (fd_);
    //  The name of the user, which libzmq puts between the first frame of a connection and its socket, ends no message.
    if (!counts || msg_->flags () & msg_t::credential)
        return msg_;
    //  A command may stand between the parts of a message. Otherwise it is whole, as the PING of an idle peer.
    const bool is_command = msg_->flags () & msg_t::command;
    if (is_command && counts->parts.load (std::memory_order_relaxed) > 0)
        return msg_;
    if (is_command || !(msg_->flags () & msg_t::more)) {
        finish (*counts);
        return msg_;
    }
    add (*counts, part_cost);
    const uint32_t now = counts->parts.load (std::memory_order_relaxed) + 1;
    counts->parts.store (now, std::memory_order_relaxed);
    if (now == most_parts) {
        cut (*counts, too_many_parts);
        shut_down (fd_);
    }
    return msg_;
}

static int zmq_sys_read (fd_t fd_, void *data_, size_t size_)
{
    counts_t *counts = counts_of (fd_);
    if (!counts)
#if defined ZMQ_HAVE_WINDOWS
        return tcp_read (fd_, data_, size_);
#else
        //  A connection that cannot be counted ends.
        return 0;
#endif
    if (counts->ends.load (std::memory_order_relaxed) == counts->serial.load (std::memory_order_relaxed))
        return 0;
    if (counts->is_limited.load (std::memory_order_relaxed)) {
        const uint64_t most = readable (*counts);
        if (most == 0 && counts->complete.load (std::memory_order_relaxed) == 0) {
            cut (*counts, too_long_handshake);
            return 0;
        }
        if (most == 0) {
            counts->waits.store (true, std::memory_order_relaxed);
            rest ();
            errno = EAGAIN;
            return -1;
        }
        counts->waits.store (false, std::memory_order_relaxed);
        if (size_ > most)
            size_ = static_cast<size_t> (most);
    }
    const int read = tcp_read (fd_, data_, size_);
    if (read < 0)
        note_failure (*counts);
    if (read <= 0)
        return read;
    add (*counts, static_cast<uint64_t> (read));
    return read;
}

//  Returns the family of the other side's address, and the host in it. C libraries differ in whether they name the host of
//  a Unix socket, and libzmq adds no descriptor to the messages of a connection without one.
static int zmq_sys_peer_address (fd_t fd_, std::string &host_)
{
#if !defined ZMQ_HAVE_WINDOWS
    sockaddr_storage own = {};
    socklen_t size = sizeof own;
    if (getsockname (fd_, reinterpret_cast<sockaddr *> (&own), &size) == 0 && own.ss_family == AF_UNIX) {
        host_ = "localhost";
        return AF_UNIX;
    }
#endif
    return get_peer_ip_address (fd_, host_);
}

static int zmq_sys_write (fd_t fd_, const void *data_, size_t size_)
{
    const int written = tcp_write (fd_, data_, size_);
    counts_t *counts = counts_of (fd_);
    if (counts && written > 0)
        counts->sent.store (counts->sent.load (std::memory_order_relaxed) + static_cast<uint64_t> (written),
                            std::memory_order_release);
    else if (counts && written < 0)
        note_failure (*counts);
    return written;
}
}

//  The number of bytes that the latest connection with this descriptor has sent, and the cost of the parts of its messages.
extern "C" uint64_t zmq_sys_received (int64_t fd_)
{
    const counts_t *counts = counts_of (fd_);
    return counts ? counts->received.load (std::memory_order_relaxed) : 0;
}

//  The number of bytes that the system has taken for this connection.
extern "C" uint64_t zmq_sys_sent (int64_t fd_)
{
    const counts_t *counts = counts_of (fd_);
    return counts ? counts->sent.load (std::memory_order_relaxed) : 0;
}

//  The number of connections with this descriptor that were reset, or given up by the system. One may count twice.
extern "C" uint32_t zmq_sys_resets (int64_t fd_)
{
    const counts_t *counts = counts_of (fd_);
    return counts ? counts->resets.load (std::memory_order_acquire) : 0;
}

//  Received bytes of the incomplete message; at sockets other than ROUTER also those of the handshake.
extern "C" uint64_t zmq_sys_unfinished (int64_t fd_)
{
    const counts_t *counts = counts_of (fd_);
    if (!counts
        || (counts->is_limited.load (std::memory_order_relaxed) && counts->complete.load (std::memory_order_relaxed) == 0))
        return 0;
    return unfinished (*counts);
}

//  Why the connection with this descriptor was ended here since the last call: 0 if it was not, 1 because of the number of
//  its parts, 2 because of the size of its handshake.
extern "C" int zmq_sys_was_cut (int64_t fd_)
{
    counts_t *counts = counts_of (fd_);
    return counts ? counts->cut.exchange (0, std::memory_order_relaxed) : 0;
}

//  The number of the latest connection among those with this descriptor.
extern "C" uint32_t zmq_sys_serial (int64_t fd_)
{
    const counts_t *counts = counts_of (fd_);
    return counts ? counts->serial.load (std::memory_order_relaxed) : 0;
}

//  Ends the connection with this descriptor and this number when it is read again.
extern "C" void zmq_sys_end (int64_t fd_, uint32_t serial_)
{
    counts_t *counts = counts_of (fd_);
    if (counts)
        counts->ends.store (serial_, std::memory_order_relaxed);
}

//  Adds to the size of the incomplete messages at all ROUTERs up to which all connections are read.
extern "C" void zmq_sys_add_room (int64_t bytes_)
{
    room.fetch_add (static_cast<uint64_t> (bytes_), std::memory_order_relaxed);
}

//  Whether these messages have this size.
extern "C" int zmq_sys_is_full (void)
{
    return pool.load (std::memory_order_relaxed) >= room.load (std::memory_order_relaxed);
}

//  Allows the connection with this descriptor an incomplete message of this size, even so.
extern "C" void zmq_sys_allow (int64_t fd_, uint64_t bytes_)
{
    counts_t *counts = counts_of (fd_);
    if (counts)
        counts->allowed.store (bytes_, std::memory_order_relaxed);
}

//  1 if bytes of this connection wait because it is not allowed more, otherwise 0.
extern "C" int zmq_sys_waits (int64_t fd_)
{
    const counts_t *counts = counts_of (fd_);
    return counts && counts->waits.load (std::memory_order_relaxed) ? 1 : 0;
}

//  Until the end of that file.
#define push_msg(message) push_msg (zmq_sys_passed (_s, message))
#define tcp_read zmq_sys_read
#define tcp_write zmq_sys_write
#define get_peer_ip_address zmq_sys_peer_address
#define unblock_socket(fd) unblock_socket (zmq_sys_begins (fd, _options.type))
#define rm_fd(handle) rm_fd (zmq_sys_left (_s, handle))
