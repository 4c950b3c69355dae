/* Windows 10's source of random numbers, which Rust requires and Debian 12's wine lacks: by that of earlier versions. */
#include <windows.h>
#include <ntsecapi.h>

__declspec (dllexport) BOOL WINAPI ProcessPrng (PBYTE data, SIZE_T size)
{
    return RtlGenRandom (data, (ULONG) size);
}
