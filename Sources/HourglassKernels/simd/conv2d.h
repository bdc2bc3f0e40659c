/* Convolution and transposed convolution: three forms of one bilinear form, each a loop around the tile. */
#include "gather.h"
#include "strips.h"
/* */
#include "filter.h"
