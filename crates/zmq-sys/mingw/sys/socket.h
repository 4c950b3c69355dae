/* MinGW has no such header, which libzmq includes unless the compiler is Microsoft's. */
#include <winsock2.h>
