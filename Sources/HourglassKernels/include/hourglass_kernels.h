/* Hourglass kernels: training kernels for convolutional autoencoders on CPUs, as a plain C library.
 *
 * CONVENTIONS, which hold for every call below
 *
 *   Letters   N samples; H, W, C height, width and channels of the *large* image; P, Q, K the same of the *small*
 *             image; R, S filter height and width; U, V vertical and horizontal stride; I, O inputs and outputs of
 *             a dense layer; Z latent units. A convolution goes large -> small, a transposed convolution small ->
 *             large, with the same geometry.
 *   Memory    images are NHWC (small ones NPQK), filters RSCK, dense weights IO; contiguous, row-major, float. Images
 *             of an hg_geometry2d may have other strides in memory. Pointers need the alignment of float only; 64-byte
 *             alignment is faster.
 *   Extents   and counts are ptrdiff_t and count elements, never bytes.
 *   Order     of arguments: geometry, inputs, outputs, scratch, parallel.
 *   Outputs   are overwritten and may be uninitialised. Only gradients of parameters also take `accumulate`: when
 *             true the sum goes on from the value found there, exactly as if all samples had come in one call.
 *             NULL for an output means "not wanted"; NULL for a bias means "none".
 *   Aliasing  inputs may overlap one another; outputs and scratch must overlap nothing unless the comment of a call
 *             allows it.
 *   Scratch   is memory the caller brings, of the size that `NAME_scratch` answers (in floats) for the geometry and
 *             parallel of the call `NAME`; may be NULL where that is 0. Contents do not matter before and after. Two
 *             calls that run at the same time need scratch of their own. However many the threads, a call wants no
 *             more than for four threads and four times the floats of its arrays together.
 *   Errors    every operation answers NULL when it did its work, or an English sentence, which lives as long as the
 *             program and whose code is hg_error_of, and then it has touched no memory: a geometry that `..._check`
 *             refuses, a size that is not that of the struct, a NULL where an array is needed, a count below 0, an
 *             unknown activation. Counts and scratch sizes of what would be refused are -1. What cannot be seen, such
 *             as an array that is too short, is the caller's to get right.
 *   Threads   the last argument says who runs the parts of a call; NULL, and calls without it, mean the calling thread
 *             alone. Any call may be made from any thread at any time, except hg_isa_select. The numbers do not depend
 *             on the number of threads: parts split only disjoint outputs, never a sum.
 *   Growth    structs begin with their size. Within a major version they may grow at the end, and a library takes the
 *             sizes of all versions before it; a later struct's size is refused.
 *   Numbers   each output element is one chain of fused multiply-adds in a fixed order, the same on every
 *             instruction set with FMA. Where lanes must share one sum there are 16 partial sums, element i in
 *             partial sum i mod 16, added as a balanced tree. While a call runs sums are rounded to nearest,
 *             denormals count as zero and floating-point exceptions trap nothing, whatever the caller's mode, which is
 *             restored; exception flags that a call raises stay, and may come from lanes whose results nobody uses.
 *             Infinities and NaN travel as in IEEE 754, with one exception: an element that a filter reaches only
 *             through padding is never read. ARM's bits are those of x86 with FMA but for two: the sign and payload of
 *             a NaN, and a result that is below the least normal number before it is rounded and not after, which ARM
 *             makes zero.
 *
 * The library never allocates, prints, aborts, or changes the environment. Its only global state is the table of
 * kernels for the instruction set in use.
 */
#ifndef HOURGLASS_KERNELS_H
#define HOURGLASS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HG_VERSION_MAJOR 2
#define HG_VERSION_MINOR 0
#define HG_VERSION_PATCH 0

#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif
#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------------------------- threads, instruction sets */

/* Who runs the parts of a call.
 *
 * threads       number of parts that run at once; 0 and 1 mean the calling thread alone.
 * parallel_for  NULL: OpenMP runs the parts (one after the other where the library was built without OpenMP).
 *               Otherwise it must call body(argument, part) once for each part in [0, parts), in any order, on any
 *               threads, and return when all have returned. It is called from the thread that makes the call,
 *               with parts = threads, as often as the operation has phases; with 0 or 1 threads not at all.
 * context       handed to parallel_for.
 *
 * OpenMP founds a team for each thread that makes such calls, at its first one; that allocates, in the runtime. After a
 * fork the child may call with a parallel_for or one thread; OpenMP's threads only where its runtime survives a fork
 * (libomp does, libgomp does not once the parent has used it). A team has 1024 threads at most, which take more parts
 * in turn. Calls that alternate between numbers of threads are slow under libgomp, which founds the team anew each
 * time. */
typedef struct hg_parallel {
  size_t size; /* sizeof(hg_parallel) */
  ptrdiff_t threads;
  void (*parallel_for)(void *context, ptrdiff_t parts, void (*body)(void *argument, ptrdiff_t part), void *argument);
  void *context;
} hg_parallel;
#define HG_MOST_THREADS 65536

/* NULL, or why calls refuse this hg_parallel: threads within 0 and HG_MOST_THREADS. NULL is accepted. */
const char *hg_parallel_check(const hg_parallel *parallel);

/* What kind of argument a call refused. Later versions may add codes. */
typedef enum hg_error {
  HG_ERROR_NONE = 0,       /* nothing: the call did its work */
  HG_ERROR_SIZE = 1,       /* a struct whose size is not that of the struct: it is of another version */
  HG_ERROR_NULL = 2,       /* a pointer that is NULL where something is needed */
  HG_ERROR_GEOMETRY = 3,   /* a geometry, a permutation or an axis: extents, strides, padding, groups */
  HG_ERROR_COUNT = 4,      /* a count that is negative, or 2^40 elements and more */
  HG_ERROR_ACTIVATION = 5, /* an activation that there is not, or that the call does not take */
  HG_ERROR_VALUE = 6,      /* another number outside its range: a rate, a variance, a limit, a label, a row */
  HG_ERROR_PARALLEL = 7,   /* the number of threads of an hg_parallel */
  HG_ERROR_ISA = 8         /* an instruction set that this machine or this build lacks */
} hg_error;

/* Code of a sentence that a call of this library has answered, and of NULL. The pointer must be the one that was
 * answered: a copy of the sentence has no code. */
hg_error hg_error_of(const char *sentence);

/* Version of the library that runs, "major.minor.patch"; the macros above say that of the header. */
const char *hg_version(void);

/* Name of the instruction set in use: "avx512", "avx2", "neon" or "baseline". The widest that the machine has, unless
 * the environment variable HOURGLASS_ISA named another when the first kernel was called. */
const char *hg_isa_name(void);

/* Name of an instruction set that this build and this machine have: the widest for index 0, then the others, NULL
 * behind the last. "baseline", which every machine has, is the last. */
const char *hg_isa_names(ptrdiff_t index);

/* Chooses the instruction set for all later calls, "" or NULL for the widest. Answers NULL, or a sentence when this
 * machine or this build lacks it (the choice then stays as it was). Not to be called while other calls run. */
const char *hg_isa_select(const char *name);

/* True when the instruction set in use fuses multiply and add, so that its bits equal those of every other such. */
bool hg_isa_has_fma(void);

/* True when the library was built with OpenMP. */
bool hg_has_openmp(void);

/* Calls body(argument, thread) for each thread in [0, parallel->threads) as the parts of every other call are called:
 * with OpenMP once on each thread of the caller's team, which exists from then on, thread 0 being the caller. */
const char *hg_on_each_thread(const hg_parallel *parallel, void (*body)(void *argument, ptrdiff_t thread),
                              void *argument);

/* ------------------------------------------------------------------------------------------------ activations */

/* Elementwise activation a, applied to the sum s. The derivative of each but the last four is expressed by the output
 * y = a(s); these every call takes that has an activation. */
typedef enum hg_activation {
  HG_ACTIVATION_LINEAR = 0,       /* y = s                          dy/ds = 1                       */
  HG_ACTIVATION_RELU = 1,         /* y = max(s, 0)                  dy/ds = y > 0                   */
  HG_ACTIVATION_SIGMOID = 2,      /* y = 1 / (1 + exp(-s))          dy/ds = y (1 - y)               */
  HG_ACTIVATION_TANH = 3,         /* y = tanh(s)                    dy/ds = (1 - y) (1 + y)         */
  HG_ACTIVATION_SOFTPLUS = 4,     /* y = ln(1 + exp(s))             dy/ds = 1 - exp(-y)             */
  HG_ACTIVATION_ELU = 5,          /* y = s > 0 ? s : exp(s) - 1     dy/ds = y > 0 ? 1 : y + 1       */
  HG_ACTIVATION_LEAKY_RELU = 6,   /* y = s > 0 ? s : s / 100        dy/ds = y > 0 ? 1 : 1 / 100     */
  HG_ACTIVATION_SELU = 7,         /* y = l (s > 0 ? s : a (exp(s) - 1))  dy/ds = y > 0 ? l : y + l a, see below */
  HG_ACTIVATION_RELU6 = 8,        /* y = min(max(s, 0), 6)          dy/ds = 0 < y < 6               */
  HG_ACTIVATION_HARD_SIGMOID = 9, /* y = min(max(s / 6 + 1 / 2, 0), 1)  dy/ds = 0 < y < 1 ? 1 / 6 : 0 */
  HG_ACTIVATION_HARD_TANH = 10,   /* y = min(max(s, -1), 1)         dy/ds = -1 < y < 1              */
  /* Activations that take some values twice, so that their derivative is found from s: hg_activation_forward and
   * hg_activation_backward_input take them, other calls refuse them. */
  HG_ACTIVATION_GELU = 16,       /* y = s F(s), F the distribution of a standard normal value */
  HG_ACTIVATION_SILU = 17,       /* y = s / (1 + exp(-s)) */
  HG_ACTIVATION_MISH = 18,       /* y = s tanh(ln(1 + exp(s))) */
  HG_ACTIVATION_HARD_SWISH = 19, /* y = s min(max(s / 6 + 1 / 2, 0), 1) */
  HG_ACTIVATION_MOST = INT32_MAX /* no activation: leaves room for HG_LEAKY_RELU */
} hg_activation;

/* The leaky ReLU with another slope below 0 than 1/100, as an hg_activation: y = s > 0 ? s : slope s. The slope is
 * rounded to a multiple of 1/10000 within (0, 1]. */
#define HG_LEAKY_RELU(slope) ((hg_activation)(HG_ACTIVATION_LEAKY_RELU | (int32_t)((slope)*10000 + 0.5) << 8))

/* l and a of the SELU, with which the mean 0 and the variance 1 of sums are a fixed point (Klambauer et al., NIPS
 * 2017). */
#define HG_SELU_SCALE 1.0507009873554805
#define HG_SELU_ALPHA 1.6732632423543772

/* y[i] = a(x[i]) for i in [0, count). y may be x. */
const char *hg_activation_forward(hg_activation activation, ptrdiff_t count, const float *x, float *y,
                                  const hg_parallel *parallel);

/* dx[i] = dy[i] * a'(s[i]) with y the activation's output a(s). dx may be dy. */
const char *hg_activation_backward(hg_activation activation, ptrdiff_t count, const float *y, const float *dy,
                                   float *dx, const hg_parallel *parallel);

/* dx[i] = dy[i] a'(x[i]) with x the activation's input, for the activations from HG_ACTIVATION_GELU on. dx may be dy.
 *   GELU        F(x) + x f(x), f the density (Hendrycks & Gimpel, arXiv:1606.08415)
 *   SiLU        S(x) (1 + x (1 - S(x))), S the sigmoid (Elfwing et al., Neural Networks 2018)
 *   Mish        t + x (1 - t^2) S(x), t = tanh(ln(1 + exp(x))) (Misra, BMVC 2020)
 *   hard swish  x / 3 + 1 / 2 where |x| < 3, else 1 above and 0 below (Howard et al., ICCV 2019) */
const char *hg_activation_backward_input(hg_activation activation, ptrdiff_t count, const float *x, const float *dy,
                                         float *dx, const hg_parallel *parallel);

/* Parametric ReLU with a slope for each of C channels (He et al., ICCV 2015), of M positions:
 *   y[m,c] = x[m,c] > 0 ? x[m,c] : slope[c] x[m,c]
 * x, y: M C; slope: C. y may be x. */
const char *hg_prelu_forward(ptrdiff_t positions, ptrdiff_t channels, const float *x, const float *slope, float *y,
                             const hg_parallel *parallel);

/* The way back through the parametric ReLU:
 *   dx[m,c]        = x[m,c] > 0 ? dy[m,c] : slope[c] dy[m,c]
 *   dslope[c] (+)= sum over m, in this order, of x[m,c] > 0 ? 0 : x[m,c] dy[m,c]
 * dx: M C or NULL; dslope: C or NULL. dx may be dy. */
const char *hg_prelu_backward(ptrdiff_t positions, ptrdiff_t channels, const float *x, const float *dy,
                              const float *slope, bool accumulate, float *dx, float *dslope,
                              const hg_parallel *parallel);

/* Softmax over the C channels of each of M positions:  y[m,c] = exp(x[m,c]) / sum over k of exp(x[m,k]).
 * The greatest x of a position is taken off first. x, y: M C. y may be x. */
const char *hg_softmax_forward(ptrdiff_t positions, ptrdiff_t channels, const float *x, float *y,
                               const hg_parallel *parallel);

/* dx[m,c] = y[m,c] (dy[m,c] - sum over k of y[m,k] dy[m,k]), with y the output. dx may be dy. */
const char *hg_softmax_backward(ptrdiff_t positions, ptrdiff_t channels, const float *y, const float *dy, float *dx,
                                const hg_parallel *parallel);

/* ------------------------------------------------------------------------------------------------- branches */

/* The way back where two read one value x[i] = a(s[i]): dx[i] = a'(s[i]) (first[i] + second[i]), the errors of the two
 * readers, in this order. x is ignored where a is linear. dx may be first or second. */
const char *hg_fork_backward(hg_activation activation, ptrdiff_t count, const float *x, const float *first,
                             const float *second, float *dx, const hg_parallel *parallel);

/* Where two branches meet in a sum: y[i] = a(x[i] + skip[i]). y may be x or skip. */
const char *hg_join_forward(hg_activation activation, ptrdiff_t count, const float *x, const float *skip, float *y,
                            const hg_parallel *parallel);

/* Where two branches meet side by side, with M positions: y[m] = [x[m] | skip[m]].
 * x: M channels; skip: M skip_channels; y: M (channels + skip_channels). */
const char *hg_concat_forward(ptrdiff_t positions, ptrdiff_t channels, ptrdiff_t skip_channels, const float *x,
                              const float *skip, float *y, const hg_parallel *parallel);

/* The way back: [dx[m] | dskip[m]] = dy[m]. dx or dskip may be NULL where nobody wants it. */
const char *hg_concat_backward(ptrdiff_t positions, ptrdiff_t channels, ptrdiff_t skip_channels, const float *dy,
                               float *dx, float *dskip, const hg_parallel *parallel);

/* -------------------------------------------------------------------------------- convolution, both directions */

/* How the sums of a convolution are computed. Scratch, prepared weights and rounding differ, the calls do not. */
typedef enum hg_algorithm {
  HG_ALGORITHM_DIRECT = 0,   /* every product of the definition */
  HG_ALGORITHM_WINOGRAD = 1, /* Winograd's form: fewer multiply-adds for some filters and strides, see below */
} hg_algorithm;

/* Geometry of a convolution, a transposed convolution or a pooling between a large and a small image:
 *
 *   small position (p, q) and tap (r, s) meet large position (h, w) = (p U + r - pad_top, q V + s - pad_left),
 *
 * with r and s times the dilation where that is more than 1. A tap that falls outside the large image is padding: it
 * contributes nothing. Bottom and right padding follow from the extents. With G groups large channel c and small
 * channel k meet where both are of one group, c div (C / G) = k div (K / G); the filter is then R S (C / G) K, with c
 * counted from the first of its group.
 *
 * Strides in memory are the floats from one sample, row or pixel of an image to the next; 0 means as close as can be,
 * pixel = channels, row = width pixel, sample = height row, which is N H W C where all are 0. Others let an image lie
 * inside a larger one. With more floats to a pixel than channels it is some channels of a wider image, so that several
 * calls write their channels side by side and a later one reads them all: a concatenation without a copy. With more to
 * a row or a sample it is a crop, or the inside of a border. Pointers point at the image's first element. All arrays of
 * a call with the shape of the large image (x, dx, their gate) have its strides, all with that of the small one (y, dy,
 * their gate) have its; switches of max-pooling are N P Q K always. What lies between the elements of an image is
 * neither read nor written, so that it may be another array of the call. Bits do not depend on strides. */
typedef struct hg_geometry2d {
  size_t size;                                         /* sizeof(hg_geometry2d) */
  ptrdiff_t samples;                                   /* N */
  ptrdiff_t large_height, large_width, large_channels; /* H, W, C */
  ptrdiff_t small_height, small_width, small_channels; /* P, Q, K */
  ptrdiff_t filter_height, filter_width;               /* R, S */
  ptrdiff_t stride_vertical, stride_horizontal;        /* U, V */
  ptrdiff_t pad_top, pad_left;
  hg_algorithm algorithm;                           /* of convolutions */
  int32_t precision;                                /* 0: float. Reserved: other values are refused */
  ptrdiff_t dilation_vertical, dilation_horizontal; /* of convolutions; 0 and 1: taps are neighbours */
  ptrdiff_t groups;                                 /* of convolutions, G; 0 and 1: every channel meets every other */
  ptrdiff_t large_sample_stride, large_row_stride, large_pixel_stride; /* in memory; 0: as close as can be */
  ptrdiff_t small_sample_stride, small_row_stride, small_pixel_stride;
} hg_geometry2d;

/* NULL, or why the convolution calls refuse this geometry. Extents, filter and strides must be at least 1, padding and
 * samples at least 0; nothing above 2^31, and below 2^40 elements all images, the filter, a large image with its
 * padding, (few large channels) the products of a small image with all taps, and (groups of few channels) an image
 * times the channels of the other's group. Dilation and groups must be at least 0, and groups divide both numbers of
 * channels. Strides in memory must be at least 0 and keep pixels, rows and samples apart, in the order of N H W C, and
 * images with what lies between must be below 2^40 elements. Winograd's form takes filters of 3 x 3 with strides of 1,
 * and filters of 4 x 4 with strides of 2, without dilation and groups. */
const char *hg_conv2d_check(const hg_geometry2d *geometry);

/* The convolution is one bilinear form,
 *
 *   <y, dy> = sum over n,p,q,k,r,s,c of  x[n, pU+r-pad_top, qV+s-pad_left, c]  w[r,s,c,k]  dy[n,p,q,k]
 *
 * (here and below without dilation and groups) and its partial evaluations are the six passes below. Weights are
 * brought into the order a pass reads by one of two preparations, once per change of the weights; samples do not matter
 * to them. Each order has a type of its own, so that no filter takes the place of a prepared one, nor one the other's:
 * C++ refuses it, and C with -Werror=incompatible-pointer-types, which gcc has by itself from version 14 on.
 *
 *   pass                                  form     needs
 *   hg_conv2d_forward                     gather   hg_conv2d_prepare_gather
 *   hg_conv2d_backward_data               scatter  hg_conv2d_prepare_scatter
 *   hg_conv2d_backward_filter             filter   -
 *   hg_conv2d_transpose_forward           scatter  hg_conv2d_prepare_scatter
 *   hg_conv2d_transpose_backward_data     gather   hg_conv2d_prepare_gather
 *   hg_conv2d_transpose_backward_filter   filter   -
 *
 * Where groups have one channel of the large or of the small image (depthwise), or at most 8 of both, padding at the
 * left and at the right is multiplied as zeros, so that an infinity or NaN among the weights, or in dy, also reaches
 * the outputs that meet padding there.
 *
 * HG_ALGORITHM_WINOGRAD computes them by F(4 x 4, 3 x 3) and F(4 x 4, 2 x 2): a filter of 3 x 3 with strides of 1 in a
 * quarter of the multiply-adds, one of 4 x 4 with strides of 2, which is four phases of 2 x 2 taps, in 1 / 2.56 of
 * them:
 *
 *   y = A^T [sum over c (and phases) of (G w G^T) * (B^T x B)] A    for 4 x 4 outputs, * point by point
 *
 * where x is 6 x 6 or 5 x 5 inputs. With D the depth of the sums at a point, which is C or 4 C in the gather form, K in
 * the scatter form and the number of tiles in dfilter (with A dy A^T in the place of the filter), an element differs
 * from its definition by at most (D + 40) 2^-24 times the same form of the magnitudes of all matrices. That is a sum
 * over the whole tile, so no multiple of the magnitudes of the element's own products bounds it: where these are
 * all zero, the element need not be. In the root mean square an element differs by 1.5 to 5 times as much as in the
 * direct form. Infinities and NaN reach all 16 outputs of a tile, in dfilter all taps of a phase. Bits depend on
 * neither threads nor instruction set; with accumulate dfilter adds the sum of the call. Source: Lavin & Gray, "Fast
 * algorithms for convolutional neural networks", CVPR 2016. */

/* A float of a filter as the gather form reads it, and as the scatter form does. What lies where is the library's own:
 * prepared filters belong to the build, the instruction set and the geometry that prepared them. */
typedef struct hg_gather_filter {
  float prepared;
} hg_gather_filter;
typedef struct hg_scatter_filter {
  float prepared;
} hg_scatter_filter;

/* How many of them a filter takes; -1 for a geometry that is refused. */
ptrdiff_t hg_conv2d_prepared_gather_count(const hg_geometry2d *geometry);
ptrdiff_t hg_conv2d_prepared_scatter_count(const hg_geometry2d *geometry);

/* prepared = filter (R S C K) in the order the gather form reads it. Cost: one read and one write of the filter. */
const char *hg_conv2d_prepare_gather(const hg_geometry2d *geometry, const float *filter, hg_gather_filter *prepared,
                                     const hg_parallel *parallel);

/* prepared = filter (R S C K), transposed for the scatter form. Cost: one read and one write of the filter. */
const char *hg_conv2d_prepare_scatter(const hg_geometry2d *geometry, const float *filter, hg_scatter_filter *prepared,
                                      const hg_parallel *parallel);

/* Floats of scratch of each pass; -1 for a geometry or parallel that is refused. The passes in the gather form want
 * none by the direct algorithm, but for groups of one or few channels. */
ptrdiff_t hg_conv2d_forward_scratch(const hg_geometry2d *geometry, const hg_parallel *parallel);
ptrdiff_t hg_conv2d_backward_data_scratch(const hg_geometry2d *geometry, const hg_parallel *parallel);
ptrdiff_t hg_conv2d_backward_filter_scratch(const hg_geometry2d *geometry, const hg_parallel *parallel);
ptrdiff_t hg_conv2d_transpose_forward_scratch(const hg_geometry2d *geometry, const hg_parallel *parallel);
ptrdiff_t hg_conv2d_transpose_backward_data_scratch(const hg_geometry2d *geometry, const hg_parallel *parallel);
ptrdiff_t hg_conv2d_transpose_backward_filter_scratch(const hg_geometry2d *geometry, const hg_parallel *parallel);

/* y[n,p,q,k] = a(bias[k] + sum over r, s, c of x[n, pU+r-pad_top, qV+s-pad_left, c] w[r,s,c,k])
 * x: N H W C; gather_filter: prepared; bias: K or NULL; y: N P Q K.
 * Cost by the direct algorithm: 2 N P Q K R S C / G flops less those on padding. */
const char *hg_conv2d_forward(const hg_geometry2d *geometry, const float *x, const hg_gather_filter *gather_filter,
                              const float *bias, hg_activation activation, float *y, float *scratch,
                              const hg_parallel *parallel);

/* dx[n,h,w,c] = a'(gate[n,h,w,c]) * sum over the p, q, r, s that meet (h, w), and k, of dy[n,p,q,k] w[r,s,c,k]
 * dy: N P Q K; scatter_filter: prepared; gate: N H W C, the output of the activation that made x (ignored when that is
 * linear); dx: N H W C. */
const char *hg_conv2d_backward_data(const hg_geometry2d *geometry, const float *dy,
                                    const hg_scatter_filter *scatter_filter, hg_activation gate_activation,
                                    const float *gate, float *dx, float *scratch, const hg_parallel *parallel);

/* dfilter[r,s,c,k] (+)= sum over n, p, q of x[n, pU+r-pad_top, qV+s-pad_left, c] dy[n,p,q,k]
 * dbias[k]         (+)= sum over n, p, q of dy[n,p,q,k]
 * x: N H W C; dy: N P Q K; dfilter: R S C K or NULL; dbias: K or NULL. Samples in order, so that calls with accumulate
 * over runs of samples give the bits of one call; only a bias of fewer than 16 channels is summed call by call, in 16
 * partial sums for each channel, and what accumulates is the sum of each call. With C / G < 8 padding is multiplied as
 * zeros, so that an infinity or NaN in dy also reaches the taps that meet padding there. */
const char *hg_conv2d_backward_filter(const hg_geometry2d *geometry, const float *x, const float *dy, bool accumulate,
                                      float *dfilter, float *dbias, float *scratch, const hg_parallel *parallel);

/* x[n,h,w,c] = a(bias[c] + sum over the p, q, r, s that meet (h, w), and k, of y[n,p,q,k] w[r,s,c,k])
 * y: N P Q K; scatter_filter: prepared; bias: C or NULL; x: N H W C. */
const char *hg_conv2d_transpose_forward(const hg_geometry2d *geometry, const float *y,
                                        const hg_scatter_filter *scatter_filter, const float *bias,
                                        hg_activation activation, float *x, float *scratch,
                                        const hg_parallel *parallel);

/* dy[n,p,q,k] = a'(gate[n,p,q,k]) * sum over r, s, c of dx[n, pU+r-pad_top, qV+s-pad_left, c] w[r,s,c,k]
 * dx: N H W C; gather_filter: prepared; gate: N P Q K; dy: N P Q K. */
const char *hg_conv2d_transpose_backward_data(const hg_geometry2d *geometry, const float *dx,
                                              const hg_gather_filter *gather_filter, hg_activation gate_activation,
                                              const float *gate, float *dy, float *scratch,
                                              const hg_parallel *parallel);

/* dfilter[r,s,c,k] (+)= sum over n, p, q of dx[n, pU+r-pad_top, qV+s-pad_left, c] y[n,p,q,k]
 * dbias[c]         (+)= sum over n, h, w of dx[n,h,w,c]
 * y: N P Q K; dx: N H W C; dfilter: R S C K or NULL; dbias: C or NULL. */
const char *hg_conv2d_transpose_backward_filter(const hg_geometry2d *geometry, const float *y, const float *dx,
                                                bool accumulate, float *dfilter, float *dbias, float *scratch,
                                                const hg_parallel *parallel);

/* ------------------------------------------------------------------------------------------------ max-pooling */

/* NULL, or why the pooling calls refuse this geometry: as hg_conv2d_check, and channels must be equal (C = K), R S at
 * most 255, padding below the filter's extent, every window must hold at least one element of the large image, and the
 * algorithm is the direct one. */
const char *hg_max_pool2d_check(const hg_geometry2d *geometry);

/* y[n,p,q,k] = max over r, s of x[n, pU+r-pad_top, qV+s-pad_left, k]
 * switches[n,p,q,k] = r S + s of the first maximum in the order of r, s; NaN counts as larger than any number.
 * x: N H W C; y: N P Q K; switches: N P Q K or NULL. */
const char *hg_max_pool2d_forward(const hg_geometry2d *geometry, const float *x, float *y, uint8_t *switches,
                                  const hg_parallel *parallel);

/* dx = a'(y) * dy put at the switches, zero elsewhere; windows that overlap add at the shared place in the order of
 * p, q. The element of x at a switch equals y, so that a'(y) is the derivative of the activation that made x, and x
 * need not be read. dy, switches, y (ignored when that activation is linear): N P Q K; dx: N H W C. */
const char *hg_max_pool2d_backward(const hg_geometry2d *geometry, const float *dy, const uint8_t *switches,
                                   hg_activation gate_activation, const float *y, float *dx,
                                   const hg_parallel *parallel);

/* Max-unpooling: x = y put at the switches of a max-pooling of the same geometry, zero elsewhere; windows that overlap
 * add at the shared place. A switch that names no element of its window's part of the image puts nothing.
 * y, switches: N P Q K; x: N H W C. */
const char *hg_max_unpool2d_forward(const hg_geometry2d *geometry, const float *y, const uint8_t *switches, float *x,
                                    const hg_parallel *parallel);

/* dy[n,p,q,k] = dx at the switch of (n, p, q, k), zero for a switch as above. dx: N H W C; switches, dy: N P Q K. */
const char *hg_max_unpool2d_backward(const hg_geometry2d *geometry, const float *dx, const uint8_t *switches, float *dy,
                                     const hg_parallel *parallel);

/* ------------------------------------------------------------------------------------------------- upsampling */

/* NULL, or why the upsampling calls refuse this geometry: as hg_conv2d_check, and channels must be equal (C = K), the
 * filter as large as the strides, H = P U and W = Q V, and there is no padding. */
const char *hg_upsample2d_check(const hg_geometry2d *geometry);

/* Upsampling by repetition: x[n,pU+r,qV+s,k] = y[n,p,q,k] for all r < U, s < V.  y: N P Q K; x: N H W C. */
const char *hg_upsample2d_forward(const hg_geometry2d *geometry, const float *y, float *x, const hg_parallel *parallel);

/* dy[n,p,q,k] = sum over r, s, in this order, of dx[n,pU+r,qV+s,k].  dx: N H W C; dy: N P Q K. */
const char *hg_upsample2d_backward(const hg_geometry2d *geometry, const float *dx, float *dy,
                                   const hg_parallel *parallel);

/* Average pooling without padding or overlap, of the geometries that hg_upsample2d_check takes: the adjoint of
 * upsampling times 1 / (U V), a float.
 *
 *   y[n,p,q,k] = 1 / (U V) * sum over r < U, s < V, in this order, of x[n,pU+r,qV+s,k].  x: N H W C; y: N P Q K. */
const char *hg_average_pool2d_forward(const hg_geometry2d *geometry, const float *x, float *y,
                                      const hg_parallel *parallel);

/* dx[n,pU+r,qV+s,k] = 1 / (U V) * dy[n,p,q,k].  dy: N P Q K; dx: N H W C. */
const char *hg_average_pool2d_backward(const hg_geometry2d *geometry, const float *dy, float *dx,
                                       const hg_parallel *parallel);

/* ------------------------------------------------------------------------------------------------- resampling */

/* One axis of a resampling: output i takes the inputs input[t] times weight[t] for start[i] <= t < start[i + 1]; with
 * no such t it is 0. start: outputs + 1, from 0 on and never falling; input, weight: start[outputs]. */
typedef struct hg_resampling_axis {
  size_t size; /* sizeof(hg_resampling_axis) */
  ptrdiff_t inputs, outputs;
  const ptrdiff_t *start, *input;
  const float *weight;
} hg_resampling_axis;

/* Geometry of a linear map that acts on rows and columns apart and treats all channels alike: interpolation, means over
 * windows, padding by reflection or replication. The adjoint of a resampling is the one with both axes transposed. */
typedef struct hg_resampling2d {
  size_t size;                             /* sizeof(hg_resampling2d) */
  ptrdiff_t samples, channels;             /* N, C */
  hg_resampling_axis vertical, horizontal; /* from H to P rows, from W to Q columns */
} hg_resampling2d;

/* NULL, or why the call refuses this geometry: extents must be 1 to 2^31, channels at least 1, samples at least 0, taps
 * inside the input, and images below 2^40 elements. Cost: the taps of both axes. */
const char *hg_resample2d_check(const hg_resampling2d *geometry);

/* y[n,p,q,c] = sum over the taps a of row p and b of column q, in this order, of
 *              x[n, vertical.input[a], horizontal.input[b], c] (vertical.weight[a] horizontal.weight[b])
 * x: N H W C; y: N P Q C. */
const char *hg_resample2d(const hg_resampling2d *geometry, const float *x, float *y, const hg_parallel *parallel);

/* ------------------------------------------------------------------------------------------------ permutation */

enum { HG_PERMUTATION_RANK = 6 };

/* An order of the elements of a sample: element (i_1, ..., i_rank) of y, row-major in the extents, is the one of x at
 * i_1 strides[0] + ... + i_rank strides[rank - 1]. */
typedef struct hg_permutation {
  size_t size;       /* sizeof(hg_permutation) */
  ptrdiff_t samples; /* N */
  ptrdiff_t rank;    /* 1 to 6 */
  ptrdiff_t extents[HG_PERMUTATION_RANK], strides[HG_PERMUTATION_RANK];
} hg_permutation;

/* NULL, or why the calls refuse this permutation: extents must be at least 1, with fewer than 2^40 elements in all, and
 * the strides must lead to each element of x once. */
const char *hg_permute_check(const hg_permutation *permutation);

/* y[n, i] = x[n, place of i], and the way back dx[n, place of i] = dy[n, i]. Arrays: N times the elements. */
const char *hg_permute_forward(const hg_permutation *permutation, const float *x, float *y,
                               const hg_parallel *parallel);
const char *hg_permute_backward(const hg_permutation *permutation, const float *dy, float *dx,
                                const hg_parallel *parallel);

/* ---------------------------------------------------------------------------------------------- normalisation */

/* Geometry of a group normalisation (Wu & He, ECCV 2018): channel c belongs to group c div (C / G), and the M elements
 * of a group of a sample are those of its channels at all positions. Batch normalisation (Ioffe & Szegedy, ICML 2015)
 * of N samples is the same with one sample of N P positions and G = C. */
typedef struct hg_group_norm {
  size_t size;          /* sizeof(hg_group_norm) */
  ptrdiff_t samples;    /* N */
  ptrdiff_t positions;  /* P: height times width, 1 for a vector */
  ptrdiff_t channels;   /* C */
  ptrdiff_t groups;     /* G, which divides C */
  float epsilon;        /* added to the variance: at least 0 */
  ptrdiff_t activation; /* an hg_activation that makes y */
} hg_group_norm;

/* NULL, or why the calls below refuse this geometry. Positions, channels and groups must be at least 1, samples at
 * least 0, and there must be fewer than 2^40 elements. */
const char *hg_group_norm_check(const hg_group_norm *geometry);

/* mean[n,g]     = 1/M sum of x over the group
 * variance[n,g] = 1/M sum of (x - mean)^2 over the group
 * y[n,p,c]      = a((x[n,p,c] - mean) / sqrt(variance + epsilon) weight[c] + bias[c])
 * x, y: N P C; weight: C, NULL for 1; bias: C or NULL; mean, variance: N G. A sum over positions is four chains,
 * position p in chain p mod 4; the channels of a group are then added in order, or in 16 partial sums where there are
 * 16 or more. */
const char *hg_group_norm_forward(const hg_group_norm *geometry, const float *x, const float *weight, const float *bias,
                                  float *y, float *mean, float *variance, const hg_parallel *parallel);

/* y as hg_group_norm_forward makes it, from mean and variance that are given. Batch normalisation uses running ones so
 * after training. */
const char *hg_group_norm_apply(const hg_group_norm *geometry, const float *x, const float *mean, const float *variance,
                                const float *weight, const float *bias, float *y, const hg_parallel *parallel);

/* The way back, with z = (x - mean) / sqrt(variance + epsilon) and averages over the group's elements; dy is the error
 * of what the activation reads:
 *   dx             = (weight dy - average of weight dy - z average of weight dy z) / sqrt(variance + epsilon)
 *   dweight[c] (+)= sum over n, p of dy z
 *   dbias[c]   (+)= sum over n, p of dy
 * Sums over positions are two chains for each sample, position p in chain p mod 2; samples come in order.
 * x, dy: N P C; mean, variance: N G, from the forward pass; dx: N P C or NULL; dweight, dbias: C or NULL. */
const char *hg_group_norm_backward(const hg_group_norm *geometry, const float *x, const float *dy, const float *mean,
                                   const float *variance, const float *weight, bool accumulate, float *dx,
                                   float *dweight, float *dbias, const hg_parallel *parallel);

/* ------------------------------------------------------------------------------------------------------ dense */

/* Geometry of a dense layer. */
typedef struct hg_dense {
  size_t size;       /* sizeof(hg_dense) */
  ptrdiff_t samples; /* N */
  ptrdiff_t inputs;  /* I */
  ptrdiff_t outputs; /* O */
} hg_dense;

/* NULL, or why the dense calls refuse this geometry. Inputs and outputs must be at least 1, samples at least 0; inputs
 * and outputs at most 2^31, and below 2^40 elements the weight and each array, rounded up to 16 columns. */
const char *hg_dense_check(const hg_dense *geometry);

/* Floats of scratch of the forward pass, of the data gradient and of the weight gradient; -1 for a geometry or parallel
 * that is refused. */
ptrdiff_t hg_dense_forward_scratch(const hg_dense *geometry, const hg_parallel *parallel);
ptrdiff_t hg_dense_backward_data_scratch(const hg_dense *geometry, const hg_parallel *parallel);
ptrdiff_t hg_dense_backward_weight_scratch(const hg_dense *geometry, const hg_parallel *parallel);

/* y[n,o] = a(bias[o] + sum over i of x[n,i] w[i,o]).  x: N I; weight: I O; bias: O or NULL; y: N O. */
const char *hg_dense_forward(const hg_dense *geometry, const float *x, const float *weight, const float *bias,
                             hg_activation activation, float *y, float *scratch, const hg_parallel *parallel);

/* dx[n,i] = a'(gate[n,i]) * sum over o of dy[n,o] w[i,o].  dy: N O; weight: I O; gate, dx: N I. */
const char *hg_dense_backward_data(const hg_dense *geometry, const float *dy, const float *weight,
                                   hg_activation gate_activation, const float *gate, float *dx, float *scratch,
                                   const hg_parallel *parallel);

/* dweight[i,o] (+)= sum over n of x[n,i] dy[n,o] for the rows i in [first_input, last_input), samples in order;
 * 0 <= first_input <= last_input <= I. x: N I; dy: N O; dweight: I O, of which only those rows are written. */
const char *hg_dense_backward_weight(const hg_dense *geometry, ptrdiff_t first_input, ptrdiff_t last_input,
                                     const float *x, const float *dy, bool accumulate, float *dweight, float *scratch,
                                     const hg_parallel *parallel);

/* dbias[o] (+)= sum over n of dy[n,o], samples in order.  dy: N O; dbias: O. */
const char *hg_dense_backward_bias(const hg_dense *geometry, const float *dy, bool accumulate, float *dbias,
                                   const hg_parallel *parallel);

/* out[j,i] = in[i,j], of a matrix of rows x columns: the weight of a dense layer that is tied to another. */
const char *hg_transpose(ptrdiff_t rows, ptrdiff_t columns, const float *in, float *out, const hg_parallel *parallel);

/* ----------------------------------------------------------------------------- likelihoods and latent variables */

/* A target that is NaN is missing, but for hg_ssim and hg_ms_ssim: it adds nothing to the loss, and has no gradient. */

/* Bernoulli likelihood of targets in [0, 1] from logits l, in nats:
 *   loss[n] = sum over j of max(l, 0) - l t + log(1 + exp(-|l|));   dlogits = 1 / (1 + exp(-l)) - t
 * logits, targets, dlogits: N D; loss: N or NULL; dlogits may be NULL or equal to logits. */
const char *hg_bernoulli_logits(ptrdiff_t samples, ptrdiff_t count, const float *logits, const float *targets,
                                float *loss, float *dlogits, const hg_parallel *parallel);

/* Squared error:
 *   loss[n] = sum over j of (y - t)^2;   dy = 2 (y - t)
 * Shapes and aliasing as hg_bernoulli_logits has them. */
const char *hg_squared_error(ptrdiff_t samples, ptrdiff_t count, const float *y, const float *targets, float *loss,
                             float *dy, const hg_parallel *parallel);

/* Absolute error:
 *   loss[n] = sum over j of |y - t|;   dy = the sign of y - t, 0 where they are equal
 * Shapes and aliasing as hg_bernoulli_logits has them. */
const char *hg_absolute_error(ptrdiff_t samples, ptrdiff_t count, const float *y, const float *targets, float *loss,
                              float *dy, const hg_parallel *parallel);

/* Huber's loss (1964) with threshold 1, d = y - t:
 *   loss[n] = sum over j of d^2 / 2 where |d| <= 1, else |d| - 1/2;   dy = d clamped to [-1, 1]
 * Shapes and aliasing as hg_bernoulli_logits has them. */
const char *hg_huber_error(ptrdiff_t samples, ptrdiff_t count, const float *y, const float *targets, float *loss,
                           float *dy, const hg_parallel *parallel);

/* ln cosh, d = y - t:
 *   loss[n] = sum over j of ln(cosh(d));   dy = tanh(d)
 * Shapes and aliasing as hg_bernoulli_logits has them. */
const char *hg_log_cosh_error(ptrdiff_t samples, ptrdiff_t count, const float *y, const float *targets, float *loss,
                              float *dy, const hg_parallel *parallel);

/* Poisson likelihood of counts t >= 0 from the logarithms l of their rates, in nats:
 *   loss[n] = sum over j of exp(l) - t l + ln(t!);   dlog_rates = exp(l) - t
 * with Gamma(t + 1) for t!. Shapes and aliasing as hg_bernoulli_logits has them. */
const char *hg_poisson(ptrdiff_t samples, ptrdiff_t count, const float *log_rates, const float *targets, float *loss,
                       float *dlog_rates, const hg_parallel *parallel);

/* Multinomial likelihood of counts t >= 0 that add up to N, from logits l, in nats, with p = exp(l) / sum of exp(l):
 *   loss[n] = sum over j of (ln(t!) - t ln p) - ln(N!);   dlogits = N p - t
 * over the targets that are not missing. Shapes and aliasing as hg_bernoulli_logits has them. */
const char *hg_multinomial(ptrdiff_t samples, ptrdiff_t count, const float *logits, const float *targets, float *loss,
                           float *dlogits, const hg_parallel *parallel);

/* Gaussian likelihood of a given variance v, in nats:
 *   loss[n] = sum over j of (y - t)^2 / (2 v) + log(2 pi v) / 2;   dy = (y - t) / v
 * variance: v and 2 pi v must be normal and finite. Shapes and aliasing as hg_bernoulli_logits has them. */
const char *hg_gaussian(ptrdiff_t samples, ptrdiff_t count, float variance, const float *y, const float *targets,
                        float *loss, float *dy, const hg_parallel *parallel);

/* The range to which a log-variance is clamped before use; outside it its gradient is zero. */
#define HG_LOG_VARIANCE_MIN (-30.0f)
#define HG_LOG_VARIANCE_MAX (20.0f)

/* Gaussian likelihood whose variances are put out too, in nats; each pixel of heads holds C means m, then C
 * log-variances lv:
 *   loss[n] = sum of ((m - t)^2 exp(-lv) + lv + log(2 pi)) / 2
 *   dm = (m - t) exp(-lv);   dlv = (1 - (m - t)^2 exp(-lv)) / 2,  0 where lv was clamped
 * heads, dheads: N P 2C; targets: N P C; loss: N or NULL; dheads may be NULL or equal to heads. */
const char *hg_gaussian_heads(ptrdiff_t samples, ptrdiff_t pixels, ptrdiff_t channels, const float *heads,
                              const float *targets, float *loss, float *dheads, const hg_parallel *parallel);

/* Negative binomial likelihood of counts t >= 0, in nats; each pixel of heads holds C logarithms l of means m, then C
 * logarithms lr of dispersions r, clamped as log-variances are; the variance is m + m^2 / r:
 *   loss[n] = sum of ln Gamma(r) + ln(t!) - ln Gamma(t + r) - r ln(r / (r + m)) - t ln(m / (r + m))
 *   dl = r (m - t) / (r + m)
 *   dlr = r (digamma(r) - digamma(t + r) + ln((r + m) / r) + (t - m) / (r + m)),  0 where lr was clamped
 * Shapes and aliasing as hg_gaussian_heads has them. */
const char *hg_negative_binomial(ptrdiff_t samples, ptrdiff_t pixels, ptrdiff_t channels, const float *heads,
                                 const float *targets, float *loss, float *dheads, const hg_parallel *parallel);

/* Discretized logistic likelihood of the 256 levels 0, 1/255 ... 1, in nats; each pixel of heads holds C means m, then
 * C logarithms ls of scales s, clamped as log-variances are:
 *   loss[n] = -sum of ln(F(t + 1/510) - F(t - 1/510)),   F(x) = 1 / (1 + exp(-(x - m) / s))
 * with F = 0 below the level 0 and F = 1 above the level 1; ls has no gradient where it was clamped. Shapes and
 * aliasing as hg_gaussian_heads has them. */
const char *hg_discretized_logistic(ptrdiff_t samples, ptrdiff_t pixels, ptrdiff_t channels, const float *heads,
                                    const float *targets, float *loss, float *dheads, const hg_parallel *parallel);

/* Categorical likelihood of a label from logits l, in nats (softmax cross-entropy):
 *   loss[n] = log(sum over j of exp(l[n,j])) - l[n,label];   dlogits[n,j] = exp(l[n,j]) / sum, less 1 for the label
 * logits, dlogits: N K; labels: N, each of 0 to K - 1; loss: N or NULL; dlogits may be NULL or equal to logits. */
const char *hg_softmax_cross_entropy(ptrdiff_t samples, ptrdiff_t classes, const float *logits, const int32_t *labels,
                                     float *loss, float *dlogits, const hg_parallel *parallel);

/* Height and width of the windows of hg_ssim. */
#define HG_SSIM_WINDOW 11

/* NULL, or why hg_ssim refuses this geometry: samples below 0, height or width below HG_SSIM_WINDOW, channels below 1,
 * 2^40 elements or more. */
const char *hg_ssim_check(ptrdiff_t samples, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels);

/* Floats of scratch of hg_ssim; -1 for a geometry or parallel that is refused. */
ptrdiff_t hg_ssim_scratch(ptrdiff_t samples, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels,
                          const hg_parallel *parallel);

/* Structural dissimilarity of images in [0, 1] (Wang, Bovik, Sheikh & Simoncelli, "Image quality assessment: from error
 * visibility to structural similarity", IEEE Transactions on Image Processing 13, 2004), summed over elements:
 *   loss[n] = H W C (1 - mean over channels and windows of s)
 *   s = (2 mt my + C1) (2 cty + C2) / ((mt^2 + my^2 + C1) (vt + vy + C2)),   C1 = 0.01^2, C2 = 0.03^2
 * with the means mt, my, variances vt, vy and covariance cty of a window, weighed with a Gaussian of deviation 1.5; all
 * windows within the image.  dy = its derivative.  Computed in double and rounded once; window i of a row, channels
 * counted, in partial sum i mod 16.  y, targets, dy: N H W C; loss: N or NULL; dy may be NULL or equal to y. */
const char *hg_ssim(ptrdiff_t samples, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels, const float *y,
                    const float *targets, float *loss, float *dy, float *scratch, const hg_parallel *parallel);

/* Floats of scratch of hg_ms_ssim; -1 for a geometry (as of hg_ssim) or parallel that is refused. */
ptrdiff_t hg_ms_ssim_scratch(ptrdiff_t samples, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels,
                             const hg_parallel *parallel);

/* Multi-scale structural dissimilarity of images in [0, 1] (Wang, Simoncelli & Bovik, "Multi-scale structural
 * similarity for image quality assessment", Asilomar 2003), summed over elements:
 *   loss[n] = H W C (1 - product over the scales j of m_j^w_j)
 * Each scale has the means of 2 x 2 pixels of the one before, a row or column that is left over left out: as many
 * scales as windows fit, at most 5. m_j is the mean over channels and windows of s at the last scale, and of its factor
 * (2 cty + C2) / (vt + vy + C2) at the others; w is 0.0448, 0.2856, 0.3001, 0.2363, 0.1333, of fewer scales over their
 * sum. Where a mean is not above 0 the product is 0, without a derivative. Shapes and aliasing as hg_ssim has them. */
const char *hg_ms_ssim(ptrdiff_t samples, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels, const float *y,
                       const float *targets, float *loss, float *dy, float *scratch, const hg_parallel *parallel);

/* Reparametrised Gaussian latent (Kingma & Welling 2014). heads[n] holds Z means, then Z log-variances:
 *   z = mean + exp(lv / 2) noise;   kl[n] = 1/2 sum over j of mean^2 + exp(lv) - 1 - lv,  lv clamped as above
 * heads: N 2Z; noise: N Z, NULL for z = mean; z: N Z; kl: N or NULL. */
const char *hg_gaussian_latent_forward(ptrdiff_t samples, ptrdiff_t units, const float *heads, const float *noise,
                                       float *z, float *kl, const hg_parallel *parallel);

/* dmean = dz + beta mean;   dlv = dz noise exp(lv / 2) / 2 + beta (exp(lv) - 1) / 2,  0 where lv was clamped.
 * heads, dheads: N 2Z; noise: N Z or NULL; dz: N Z. */
const char *hg_gaussian_latent_backward(ptrdiff_t samples, ptrdiff_t units, const float *heads, const float *noise,
                                        const float *dz, float beta, float *dheads, const hg_parallel *parallel);

/* Free bits (Kingma et al., "Improved variational inference with inverse autoregressive flow", NIPS 2016, eq. 15): the
 * way back through beta N sum over j of max(free_bits, KL_j), where KL_j is what unit j adds to kl, in the mean over N.
 * It belongs after hg_gaussian_latent_backward with a beta of 0. In all samples of units with KL_j > free_bits:
 *   dmean += beta mean;   dlv += beta (exp(lv) - 1) / 2,  nothing where lv was clamped.
 * heads, dheads: N 2Z. */
const char *hg_gaussian_free_bits(ptrdiff_t samples, ptrdiff_t units, const float *heads, float free_bits, float beta,
                                  float *dheads, const hg_parallel *parallel);

/* What a sample z of the latent adds to -log w of its importance weight w = p(x | z) p(z) / q(z | x):
 *   ratio[n] = log q(z[n] | x) - log p(z[n]) = 1/2 sum over j of z^2 - noise^2 - lv,  lv clamped as above
 * heads: N 2Z; noise, z: N Z as hg_gaussian_latent_forward took and wrote them; ratio: N. */
const char *hg_gaussian_log_ratio(ptrdiff_t samples, ptrdiff_t units, const float *heads, const float *noise,
                                  const float *z, float *ratio, const hg_parallel *parallel);

/* The way back through sum over n of <z[n], dz[n]> + weights[n] ratio[n]:
 *   dmean = dz + weights z;   dlv = ((dz + weights z) noise exp(lv / 2) - weights) / 2,  0 where lv was clamped
 * heads, dheads: N 2Z; noise, z, dz: N Z; weights: N. */
const char *hg_gaussian_log_ratio_backward(ptrdiff_t samples, ptrdiff_t units, const float *heads, const float *noise,
                                           const float *z, const float *weights, const float *dz, float *dheads,
                                           const hg_parallel *parallel);

/* Importance-weighted bound of log p(x) from K samples of each of I latents (Burda et al. 2016), in nats:
 *   bound[i] = log(1/K sum over k of w[i,k]),   log w = -(loss + ratio);   weights[i,k] = w[i,k] / sum over k of w[i,k]
 * and the errors dy of the loss become those of -bound, each row times its weight.
 * loss, ratio, weights: I K; bound: I; dy: I K D or NULL. */
const char *hg_importance_bound(ptrdiff_t images, ptrdiff_t draws, ptrdiff_t count, const float *loss,
                                const float *ratio, float *bound, float *weights, float *dy,
                                const hg_parallel *parallel);

/* ---------------------------------------------------------------------------------------------- random numbers */

/* Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011). A stream is addressed, not
 * advanced: block b of (seed, stream, step, sample) is Philox with key (seed mod 2^32, seed div 2^32) and counter
 * (b, sample, step, stream); value i of the stream is word i mod 4 of block i div 4. */
typedef struct hg_random_stream {
  size_t size; /* sizeof(hg_random_stream) */
  uint64_t seed;
  uint32_t stream, step, sample;
} hg_random_stream;

/* out[i] = 32 random bits, values [first, first + count) of the stream, which after 2^34 values starts anew. */
const char *hg_random_bits(const hg_random_stream *stream, ptrdiff_t first, ptrdiff_t count, uint32_t *out);

/* out[i] = ((bits >> 9) + 1/2) 2^-23, uniform in the open interval (0, 1). */
const char *hg_random_uniform(const hg_random_stream *stream, ptrdiff_t first, ptrdiff_t count, float *out);

/* Standard normal values by Box and Muller (1958): of each pair of uniforms (u, v), values 2i and 2i + 1 of the stream,
 * out is sqrt(-2 ln u) cos(2 pi v) and sqrt(-2 ln u) sin(2 pi v). first must be even. */
const char *hg_random_normal(const hg_random_stream *stream, ptrdiff_t first, ptrdiff_t count, float *out);

/* ------------------------------------------------------------------------------------------ noise in training */

/* Words of 32 bits that tell of `count` values which were kept: bit j mod 32 of word j div 32, the rest zero.
 * -1 for a count below 0. */
ptrdiff_t hg_dropout_mask_count(ptrdiff_t count);

/* Inverted dropout (Srivastava et al., JMLR 2014):
 *   y[n,j] = x[n,j] / (1 - rate) where the value is kept, else 0
 * with 0 <= rate < 1. Sample n draws from the stream of sample stream->sample + n, and value j is kept where its 32
 * random bits, read as a number, are at least rate 2^32 rounded.
 * x, y: N x count; mask: N x hg_dropout_mask_count(count).
 *
 * input_activation made x. A bit of the mask is set where the value is kept and, below a ReLU, x > 0: then the way
 * back needs neither the random numbers again, which take four times its own work, nor x, which is 32 times as
 * large. */
const char *hg_dropout_forward(const hg_random_stream *stream, float rate, ptrdiff_t samples, ptrdiff_t count,
                               hg_activation input_activation, const float *x, float *y, uint32_t *mask,
                               const hg_parallel *parallel);

/* dx[n,j] = a'(x[n,j]) dy[n,j] / (1 - rate) where bit j of the mask is set, else 0, with a the input's activation.
 * x: N x count, ignored where a is linear or ReLU; dx may be dy. */
const char *hg_dropout_backward(float rate, ptrdiff_t samples, ptrdiff_t count, const float *dy, const uint32_t *mask,
                                hg_activation input_activation, const float *x, float *dx, const hg_parallel *parallel);

/* y[n,j] = x[n,j] + deviation e[n,j], e[n,j] being normal value j (hg_random_normal) of the stream of sample
 * stream->sample + n. x, y: N x count; y may be x. */
const char *hg_gaussian_noise(const hg_random_stream *stream, float deviation, ptrdiff_t samples, ptrdiff_t count,
                              const float *x, float *y, const hg_parallel *parallel);

/* ------------------------------------------------------------------------------ loops over the flat vector */

/* sum[i] = ((shards[0][i] + shards[1][i]) + shards[2][i]) + ...
 * or, with accumulate, ((sum[i] + shards[0][i]) + shards[1][i]) + ..., where shards[s] = gradients + s * stride; there
 * is at least one. Without accumulate sum may be one of the shards. */
const char *hg_sum_shards(ptrdiff_t count, ptrdiff_t shards, ptrdiff_t stride, const float *gradients, bool accumulate,
                          float *sum, const hg_parallel *parallel);

/* Index of the first element that is infinite or NaN, or -1. A count below 1 is none. */
ptrdiff_t hg_first_nonfinite(ptrdiff_t count, const float *x);

/* Sum of squares in 16 partial sums of double; the same bits on every instruction set. A count below 1 gives 0. */
double hg_sum_of_squares(ptrdiff_t count, const float *x);

/* indices[r] = column of the least number of row r of x[rows,columns], the first of equal ones; NaN counts as infinite.
 * There are 1 to 2^31 - 16 columns. */
const char *hg_argmin(ptrdiff_t rows, ptrdiff_t columns, const float *x, int32_t *indices);

/* Exponential moving average:  average[i] = decay average[i] + (1 - decay) x[i]. */
const char *hg_moving_average(ptrdiff_t count, float decay, const float *x, float *average,
                              const hg_parallel *parallel);

/* Options of an update. The gradient used is g = gradient_scale * gradient. */
typedef struct hg_adam_options {
  size_t size; /* sizeof(hg_adam_options) */
  float gradient_scale, learning_rate, beta1, beta2, epsilon;
  float weight_decay; /* decoupled (Loshchilov & Hutter 2019): w -= learning_rate * weight_decay * w, before the step */
  float correction1, correction2; /* 1 - beta1^t and 1 - beta2^t at update t = 1, 2, ... */
} hg_adam_options;

/* Adam (Kingma & Ba 2015):
 *   m = beta1 m + (1 - beta1) g;   v = beta2 v + (1 - beta2) g^2
 *   w -= learning_rate (m / correction1) / (sqrt(v / correction2) + epsilon)
 * Elementwise over [0, count): weights, moments m and v are updated in place. */
const char *hg_adam(const hg_adam_options *options, ptrdiff_t count, const float *gradient, float *weights, float *m,
                    float *v, const hg_parallel *parallel);

typedef struct hg_sgd_options {
  size_t size; /* sizeof(hg_sgd_options) */
  float gradient_scale, learning_rate, momentum, weight_decay;
  bool nesterov;
} hg_sgd_options;

/* Stochastic gradient descent:
 *   g += weight_decay w;   m = momentum m + g;   w -= learning_rate m
 * With nesterov w -= learning_rate (g + momentum m) (Sutskever et al., ICML 2013, as PyTorch writes it). Without
 * momentum m may be NULL and w -= learning_rate g. */
const char *hg_sgd(const hg_sgd_options *options, ptrdiff_t count, const float *gradient, float *weights, float *m,
                   const hg_parallel *parallel);

typedef struct hg_rmsprop_options {
  size_t size; /* sizeof(hg_rmsprop_options) */
  float gradient_scale, learning_rate, alpha, epsilon, momentum;
} hg_rmsprop_options;

/* RMSprop (Tieleman & Hinton 2012):
 *   v = alpha v + (1 - alpha) g^2;   m = momentum m + g / (sqrt(v) + epsilon);   w -= learning_rate m
 * Without momentum m may be NULL. */
const char *hg_rmsprop(const hg_rmsprop_options *options, ptrdiff_t count, const float *gradient, float *weights,
                       float *v, float *m, const hg_parallel *parallel);

typedef struct hg_adagrad_options {
  size_t size; /* sizeof(hg_adagrad_options) */
  float gradient_scale, learning_rate, epsilon;
} hg_adagrad_options;

/* AdaGrad (Duchi, Hazan & Singer, JMLR 2011):  v += g^2;  w -= learning_rate g / (sqrt(v) + epsilon). */
const char *hg_adagrad(const hg_adagrad_options *options, ptrdiff_t count, const float *gradient, float *weights,
                       float *v, const hg_parallel *parallel);

typedef struct hg_adadelta_options {
  size_t size; /* sizeof(hg_adadelta_options) */
  float gradient_scale, learning_rate, rho, epsilon;
} hg_adadelta_options;

/* AdaDelta (Zeiler 2012):
 *   v = rho v + (1 - rho) g^2;   d = g sqrt(u + epsilon) / sqrt(v + epsilon)
 *   u = rho u + (1 - rho) d^2;   w -= learning_rate d */
const char *hg_adadelta(const hg_adadelta_options *options, ptrdiff_t count, const float *gradient, float *weights,
                        float *v, float *u, const hg_parallel *parallel);

/* The gradient of a loss with penalties on its weights, l2 |w|^2 / 2 + l1 |w|:
 *   gradient = scale gradient + l2 w + l1 sign(w)
 * with 0 for the sign of 0. */
const char *hg_penalize(ptrdiff_t count, float scale, float l2, float l1, const float *weights, float *gradient,
                        const hg_parallel *parallel);

/* Clips each element of a gradient, with a limit above 0:
 *   gradient = min(max(scale gradient, -limit), limit)
 * A NaN stays. */
const char *hg_clip(ptrdiff_t count, float scale, float limit, float *gradient, const hg_parallel *parallel);

#ifdef __cplusplus
}
#endif
#ifdef __GNUC__
#pragma GCC visibility pop
#endif

#endif
