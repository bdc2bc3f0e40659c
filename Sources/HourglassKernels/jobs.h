/* Jobs: what a driver tells the parts of a kernel. */
#ifndef HG_JOBS_H
#define HG_JOBS_H
#include "include/hourglass_kernels.h"
#endif
