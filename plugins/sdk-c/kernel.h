/* Blocks of host memory that guest and host pass by address (spec/abi.md); address 0 is no block. For the SDK itself. */
#ifndef EXOARMUR_KERNEL_H
#define EXOARMUR_KERNEL_H

#include "exoarmur.h"

/* A new block with a copy of the bytes; 0 for no bytes. */
uint64_t exo_block(exo_bytes bytes);
/* A copy of a block's bytes; frees the block. */
exo_bytes exo_take_block(uint64_t address);
void exo_free_block(uint64_t address);

#endif
