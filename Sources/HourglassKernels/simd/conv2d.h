/* Convolution and transposed convolution: three forms of one bilinear form, each a loop around the tile;
 * two of them once more for few small channels. */
#include "gather.h"
#include "strips.h"
/* */
#include "filter.h"
/* */
#include "dots.h"
