//  Replacements for functions of libsodium and of the C++ library that this addon does not use. The linker finds these
//  before it searches libraries.

#include <stddef.h>
#include <stdlib.h>

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
int _crypto_stream_chacha20_pick_best_implementation (void)
{
    return 0;
}

//  For random numbers from a seed, which nothing asks for.
int crypto_stream_chacha20_ietf (unsigned char *, unsigned long long, const unsigned char *, const unsigned char *)
{
    abort ();
}
}
