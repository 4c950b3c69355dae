//  Takes the place of what libzmq, libsodium and the C++ library bring for a purpose that nothing here has, or for a small
//  one: 600 kB, linked statically. It comes before all of libzmq's files in the unit that contains them; those stay
//  unchanged. The linker finds these functions before it looks for them in libraries.

#include <sstream>
#include <string>

//  libzmq writes a few addresses and numbers by the streams of C++, which bring the library's locales. This is what it
//  needs of them, under their names; the header above, which declares the true ones, is not included again.
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
//  Before it aborts for an exception that nobody catches, the C++ library prints the readable name of its type, by a
//  parser of 80 kB. It prints the name as it is if there is none.
char *__cxa_demangle (const char *, char *, size_t *, int *status_)
{
    if (status_)
        *status_ = -1;
    return NULL;
}

//  libsodium chooses at its start the fastest variant of everything that it has. Of these parts CURVE needs none.
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
