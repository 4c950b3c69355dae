/* As socket.h. */
#include <afunix.h>
