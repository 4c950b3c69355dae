//  Counts what comes over a connection, what the system has taken for it, and whether it was reset. libzmq keeps the parts of a message until the last one has arrived, and limits the
//  size of each part only. This file precedes libzmq's `stream_engine_base.cpp` in the unit, whose calls of three functions
//  it redirects by macros; libzmq's own files stay unchanged.

//  These declare the functions.
#include "precompiled.hpp"
#include "macros.hpp"
#include "msg.hpp"
#include "session_base.hpp"
#include "stream_engine_base.hpp"
#include "tcp.hpp"

#if !defined ZMQ_HAVE_WINDOWS
#include <sys/socket.h>
#endif

namespace
{
//  Connections with higher descriptors are not counted.
const size_t most_descriptors = 65536;

//  What a part costs beyond its two bytes on the wire.
const uint64_t part_cost = 62;

//  Written by the threads of libzmq, each of its own connections, and read by others. They belong to the number of a
//  descriptor, and only grow.
std::atomic<uint64_t> received[most_descriptors];

//  What was written to them; likewise.
std::atomic<uint64_t> sent[most_descriptors];

//  How many of them were reset, or given up by the system.
std::atomic<uint32_t> resets[most_descriptors];

//  The value of `received` when a message was last complete. The first one is the routing id, at the end of the handshake.
std::atomic<uint64_t> complete[most_descriptors];

//  Parts of the message that has begun, by the thread of the connection.
std::atomic<uint32_t> parts[most_descriptors];

//  Whether a connection with this descriptor was shut down here, until somebody asks.
std::atomic<bool> cut[most_descriptors];

//  The same, until it is read again: what the system has received does not count any more.
std::atomic<bool> ends[most_descriptors];

//  The maximum number of parts of a message. More than a millisecond would pass until they are received. The part with
//  which libzmq finds its queue full is passed, and counted, twice.
const uint32_t most_parts = 16384 + 8;

//  Whether a connection with this descriptor is counted. No descriptor is negative.
bool is_counted (int64_t fd_)
{
    return fd_ >= 0 && static_cast<uint64_t> (fd_) < most_descriptors;
}

void add (std::atomic<uint64_t> &count, uint64_t bytes_)
{
    count.store (count.load (std::memory_order_relaxed) + bytes_, std::memory_order_release);
}

//  Notes the failure of a call. Before a broken pipe, the other side has closed the connection.
void note_failure (zmq::fd_t fd_)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || errno == EPIPE)
        return;
    std::atomic<uint32_t> &count = resets[static_cast<size_t> (fd_)];
    count.store (count.load (std::memory_order_relaxed) + 1, std::memory_order_release);
}
}

namespace zmq
{
//  Counts a message that the connection is about to pass to its socket. A connection whose message has too many parts
//  is shut down: libzmq reads its end, and drops the parts.
static msg_t *zmq_sys_passed (fd_t fd_, msg_t *msg_)
{
    if (!is_counted (fd_))
        return msg_;
    const size_t at = static_cast<size_t> (fd_);
    std::atomic<uint32_t> &count = parts[at];
    //  A command may stand between the parts of a message. Otherwise it is whole, as the PING of an idle peer.
    const bool is_command = msg_->flags () & msg_t::command;
    if (is_command && count.load (std::memory_order_relaxed) > 0)
        return msg_;
    if (is_command || !(msg_->flags () & msg_t::more)) {
        complete[at].store (received[at].load (std::memory_order_relaxed), std::memory_order_relaxed);
        count.store (0, std::memory_order_relaxed);
        return msg_;
    }
    add (received[at], part_cost);
    const uint32_t now = count.load (std::memory_order_relaxed) + 1;
    count.store (now, std::memory_order_relaxed);
    if (now == most_parts) {
        cut[at].store (true, std::memory_order_relaxed);
        ends[at].store (true, std::memory_order_relaxed);
#if defined ZMQ_HAVE_WINDOWS
        shutdown (fd_, SD_BOTH);
#else
        shutdown (fd_, SHUT_RDWR);
#endif
    }
    return msg_;
}

static int zmq_sys_read (fd_t fd_, void *data_, size_t size_)
{
    if (!is_counted (fd_))
        return tcp_read (fd_, data_, size_);
    std::atomic<bool> &is_over = ends[static_cast<size_t> (fd_)];
    if (is_over.load (std::memory_order_relaxed)) {
        is_over.store (false, std::memory_order_relaxed);
        return 0;
    }
    const int read = tcp_read (fd_, data_, size_);
    if (read > 0)
        add (received[static_cast<size_t> (fd_)], static_cast<uint64_t> (read));
    else if (read < 0)
        note_failure (fd_);
    return read;
}

static int zmq_sys_write (fd_t fd_, const void *data_, size_t size_)
{
    const int written = tcp_write (fd_, data_, size_);
    if (written > 0 && is_counted (fd_))
        add (sent[static_cast<size_t> (fd_)], static_cast<uint64_t> (written));
    else if (written < 0 && is_counted (fd_))
        note_failure (fd_);
    return written;
}
}

//  The number of bytes that the connections with this descriptor have sent, and the cost of the parts of their messages.
extern "C" uint64_t zmq_sys_received (int64_t fd_)
{
    if (!is_counted (fd_))
        return 0;
    return received[static_cast<size_t> (fd_)].load (std::memory_order_relaxed);
}

//  The number of bytes that the system has taken for the connections with this descriptor.
extern "C" uint64_t zmq_sys_sent (int64_t fd_)
{
    if (!is_counted (fd_))
        return 0;
    return sent[static_cast<size_t> (fd_)].load (std::memory_order_relaxed);
}

//  The number of connections with this descriptor that were reset, or given up by the system. One may count twice.
extern "C" uint32_t zmq_sys_resets (int64_t fd_)
{
    if (!is_counted (fd_))
        return 0;
    return resets[static_cast<size_t> (fd_)].load (std::memory_order_acquire);
}

//  What of the received bytes belongs to a message that is not complete, and to the handshake before the first one.
extern "C" uint64_t zmq_sys_unfinished (int64_t fd_)
{
    if (!is_counted (fd_))
        return 0;
    const size_t at = static_cast<size_t> (fd_);
    //  In this order, because messages may become complete between the two: too few are harmless, too many are not.
    const uint64_t now = received[at].load (std::memory_order_acquire);
    const uint64_t before = complete[at].load (std::memory_order_relaxed);
    return now > before ? now - before : 0;
}

//  1 if a connection with this descriptor was shut down because of the number of its parts since the last call, otherwise 0.
extern "C" int zmq_sys_was_cut (int64_t fd_)
{
    if (!is_counted (fd_))
        return 0;
    return cut[static_cast<size_t> (fd_)].exchange (false, std::memory_order_relaxed);
}

//  Until the end of that file.
#define push_msg(message) push_msg (zmq_sys_passed (_s, message))
#define tcp_read zmq_sys_read
#define tcp_write zmq_sys_write
