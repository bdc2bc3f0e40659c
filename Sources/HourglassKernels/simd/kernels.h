/* All kernels of one instruction set, and their table. Included once by each isa_*.c, which sets the parameters:
 *   HG_NAME, HG_TABLE   name of the instruction set and of the table
 *   HG_HAS_FMA          whether it fuses multiply and add
 *   HG_LANES            floats in a register
 *   HG_BLOCK            floats of a block of an operand that stays in the first-level cache for many tiles
 *   HG_STREAMS          whether tiles read such operands from the second-level cache as fast, so that only those
 *                       whose rows are crowded need blocks
 *   HG_TILE_GROUPS      widest tile in groups of 16 columns, 1, 2 or 4
 *   HG_TILE_ROWS        rows of a tile of one group, 3 or 6, where HG_TILE_GROUPS is 1
 *   HG_SMALL            defined where code shall be small rather than fast */
#include "vec.h"
/* */
#include "tile.h"
/* */
#include "activation.h"
#include "conv2d.h"
#include "dense.h"
#include "depthwise.h"
#include "latent.h"
#include "loss.h"
#include "norm.h"
#include "optimizer.h"
#include "permute.h"
#include "pool2d.h"
#include "random.h"
#include "reduce.h"
#include "resample2d.h"
#include "ssim.h"
#include "upsample2d.h"
#include "winograd.h"
/* */
#include "branch.h"
#include "noise.h"

const hg_kernels HG_TABLE = {
    HG_NAME,
    HG_HAS_FMA,
    TILE_PANEL,
#define HG_PART(name) name,
#define HG_LOOP(result, name, ...) name,
#include "../ops.def"
};
