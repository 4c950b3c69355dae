//  Replacements for code of the C++ library that this addon hardly uses; `absent.cpp` has those for what it does not use:
//  600 kB, linked statically. This file precedes all of libzmq's files in the units that contain them; those stay unchanged.

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

//  libzmq is compiled without exceptions. In three places it handles one, of an allocation that failed. That ends the
//  process now, as it does everywhere else in this addon.
#define try if (true)
#define catch(exception) else if (false)
