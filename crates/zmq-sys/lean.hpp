//  Replacements for code of libzmq, libsodium and the C++ library that this addon does not use, or hardly: 600 kB, linked
//  statically. This file precedes all of libzmq's files in the unit that contains them; those stay unchanged. The linker
//  finds these functions before it searches libraries.

#include <sstream>
#include <string>

//  libzmq writes a few addresses and numbers by the streams of C++, which require the library's locales. This class has
//  the operators that it uses, under the names of these streams; the header above is not included again.
namespace zmq_sys
{
class text_t
{
  public:
    text_t &operator<< (const std::string &text_)
    {
        _text += text_;
        return *this;
    }
    text_t &operator<< (const char *text_)
    {
        _text += text_;
        return *this;
    }
    text_t &operator<< (int number_)
    {
        _text += std::to_string (number_);
        return *this;
    }
    text_t &operator<< (unsigned number_)
    {
        _text += std::to_string (number_);
        return *this;
    }
    std::string str () const
    {
        return _text;
    }

  private:
    std::string _text;
};
}

namespace std
{
using zmq_sys::text_t;
}

#define stringstream text_t
#define ostringstream text_t

extern "C" {
//  Before it aborts because of an uncaught exception, the C++ library prints the readable name of its type, by a parser of
//  80 kB. If that fails, it prints the name as it is.
char *__cxa_demangle (const char *, char *, size_t *, int *status_)
{
    if (status_)
        *status_ = -1;
    return NULL;
}

//  libsodium chooses the fastest variant of each algorithm at its start. CURVE uses none of these.
int _crypto_aead_aegis128l_pick_best_implementation (void)
{
    return 0;
}
int _crypto_aead_aegis256_pick_best_implementation (void)
{
    return 0;
}
int _crypto_generichash_blake2b_pick_best_implementation (void)
{
    return 0;
}
int _crypto_pwhash_argon2_pick_best_implementation (void)
{
    return 0;
}
}
