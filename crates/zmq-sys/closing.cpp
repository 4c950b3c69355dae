//  Tells whether a context has closed sockets whose descriptors are still open. libzmq reports this only at the end
//  of the context. This file is part of a unit of libzmq's files, which stay unchanged.

namespace
{
//  An explicit instantiation may name private members.
template <typename Tag, typename Tag::type Member> struct access_t
{
    friend typename Tag::type member (Tag)
    {
        return Member;
    }
};

struct sockets_tag
{
    typedef zmq::array_t<zmq::socket_base_t> zmq::ctx_t::*type;
    friend type member (sockets_tag);
};
struct sync_tag
{
    typedef zmq::mutex_t zmq::ctx_t::*type;
    friend type member (sync_tag);
};
struct reaper_tag
{
    typedef zmq::reaper_t *zmq::ctx_t::*type;
    friend type member (reaper_tag);
};
struct reaping_tag
{
    typedef int zmq::reaper_t::*type;
    friend type member (reaping_tag);
};

template struct access_t<sockets_tag, &zmq::ctx_t::_sockets>;
template struct access_t<sync_tag, &zmq::ctx_t::_slot_sync>;
template struct access_t<reaper_tag, &zmq::ctx_t::_reaper>;
template struct access_t<reaping_tag, &zmq::reaper_t::_sockets>;
}

//  1 if a closed socket of the context still exists, otherwise 0. A socket is in the list of the context until the
//  reaper destroys it, and in the reaper's count from the begin of that until its descriptors are closed.
extern "C" int zmq_sys_is_closing (void *context_)
{
    zmq::ctx_t *ctx = static_cast<zmq::ctx_t *> (context_);
    zmq::scoped_lock_t lock (ctx->*member (sync_tag ()));
    zmq::array_t<zmq::socket_base_t> &sockets = ctx->*member (sockets_tag ());
    for (zmq::array_t<zmq::socket_base_t>::size_type i = 0; i != sockets.size (); ++i) {
        if (!sockets[i]->check_tag ())
            return 1;
    }
    zmq::reaper_t *reaper = ctx->*member (reaper_tag ());
    if (reaper == NULL)
        return 0;
    //  Another thread writes the count, and cannot take the lock.
    return __atomic_load_n (&(reaper->*member (reaping_tag ())), __ATOMIC_ACQUIRE) > 0;
}
