/* Writing msgpack piece by piece; for the SDK's capability calls. */
#ifndef EXOARMUR_MSGPACK_H
#define EXOARMUR_MSGPACK_H

#include "exoarmur.h"

void exo_pack_map(exo_buffer *out, size_t count);
void exo_pack_text(exo_buffer *out, exo_text text);
void exo_pack_bytes(exo_buffer *out, exo_bytes bytes);
/* Within 2^53 - 1, or the document is outside the profile and refused by the host. */
void exo_pack_integer(exo_buffer *out, int64_t integer);

#endif
