/* The table of kernels: one per instruction set, all compiled from the same sources (simd/), chosen once.
 *
 * An entry of type hg_part runs a share of a job; the others are serial loops with the arguments of the public call. */
#ifndef HG_ISA_H
#define HG_ISA_H

#include "include/hourglass_kernels.h"
#include "jobs.h"
#include "parallel.h"

typedef struct hg_kernels {
  const char *name;
  bool fma;

  /* simd/conv2d.h, simd/dense.h, simd/pool2d.h */
  hg_part gather, strips, filter, dots_gather, dots_filter, column_sums;
  hg_part winograd_prepare, winograd_gather, winograd_filter_gradient;
  hg_part dense_forward, dense_backward_data, dense_backward_weight;
  hg_part max_pool_forward, max_pool_backward;
  void (*transpose)(ptrdiff_t rows, ptrdiff_t columns, const float *in, ptrdiff_t in_stride, float *out,
                    ptrdiff_t out_stride, ptrdiff_t width);

  /* simd/upsample2d.h, simd/norm.h */
  hg_part upsample_forward, upsample_backward, group_norm_forward, group_norm_backward;

  /* simd/pointwise.h */
  void (*activation_forward)(hg_activation activation, ptrdiff_t count, const float *x, float *y);
  void (*activation_backward)(hg_activation activation, ptrdiff_t count, const float *y, const float *dy, float *dx);
  void (*gelu_forward)(ptrdiff_t count, const float *x, float *y);
  void (*gelu_backward)(ptrdiff_t count, const float *x, const float *dy, float *dx);

  /* simd/branch.h */
  void (*fork_backward)(hg_activation activation, ptrdiff_t count, const float *x, const float *first,
                        const float *second, float *dx);
  void (*join_forward)(hg_activation activation, ptrdiff_t count, const float *x, const float *skip, float *y);

  void (*gaussian_latent_forward)(ptrdiff_t samples, ptrdiff_t units, const float *heads, const float *noise, float *z,
                                  float *kl);
  void (*gaussian_latent_backward)(ptrdiff_t samples, ptrdiff_t units, const float *heads, const float *noise,
                                   const float *dz, float beta, float *dheads);
  void (*gaussian_log_ratio)(ptrdiff_t samples, ptrdiff_t units, const float *heads, const float *noise, const float *z,
                             float *ratio);
  void (*gaussian_log_ratio_backward)(ptrdiff_t samples, ptrdiff_t units, const float *heads, const float *noise,
                                      const float *z, const float *weights, const float *dz, float *dheads);
  void (*gaussian_free_bits)(ptrdiff_t samples, ptrdiff_t units, const float *heads, float free_bits, float beta,
                             float *dheads);

  /* simd/loss.h */
  void (*bernoulli_logits)(ptrdiff_t samples, ptrdiff_t count, const float *logits, const float *targets, float *loss,
                           float *dlogits);
  void (*squared_error)(ptrdiff_t samples, ptrdiff_t count, const float *y, const float *targets, float *loss,
                        float *dy);
  void (*absolute_error)(ptrdiff_t samples, ptrdiff_t count, const float *y, const float *targets, float *loss,
                         float *dy);
  void (*huber_error)(ptrdiff_t samples, ptrdiff_t count, const float *y, const float *targets, float *loss, float *dy);
  void (*gaussian)(ptrdiff_t samples, ptrdiff_t count, float variance, const float *y, const float *targets,
                   float *loss, float *dy);
  void (*gaussian_heads)(ptrdiff_t samples, ptrdiff_t pixels, ptrdiff_t channels, const float *heads,
                         const float *targets, float *loss, float *dheads);
  void (*softmax_cross_entropy)(ptrdiff_t samples, ptrdiff_t classes, const float *logits, const int32_t *labels,
                                float *loss, float *dlogits);
  void (*importance_bound)(ptrdiff_t images, ptrdiff_t draws, ptrdiff_t count, const float *loss, const float *ratio,
                           float *bound, float *weights, float *dy);

  /* simd/ssim.h */
  hg_part ssim;

  /* simd/random.h */
  void (*random_bits)(const hg_random_stream *stream, ptrdiff_t first, ptrdiff_t count, uint32_t *out);
  void (*random_uniform)(const hg_random_stream *stream, ptrdiff_t first, ptrdiff_t count, float *out);
  void (*random_normal)(const hg_random_stream *stream, ptrdiff_t first, ptrdiff_t count, float *out);

  /* simd/noise.h */
  hg_part dropout_forward, dropout_backward, gaussian_noise;

  /* simd/flat.h */
  void (*sum_shards)(ptrdiff_t count, ptrdiff_t shards, ptrdiff_t stride, const float *gradients, bool accumulate,
                     float *sum);
  ptrdiff_t (*first_nonfinite)(ptrdiff_t count, const float *x);
  double (*sum_of_squares)(ptrdiff_t count, const float *x);
  void (*adam)(const hg_adam_options *options, ptrdiff_t count, const float *gradient, float *weights, float *m,
               float *v);
  void (*sgd)(const hg_sgd_options *options, ptrdiff_t count, const float *gradient, float *weights, float *m);
  void (*rmsprop)(const hg_rmsprop_options *options, ptrdiff_t count, const float *gradient, float *weights, float *v,
                  float *m);
  void (*adagrad)(const hg_adagrad_options *options, ptrdiff_t count, const float *gradient, float *weights, float *v);
  void (*adadelta)(const hg_adadelta_options *options, ptrdiff_t count, const float *gradient, float *weights, float *v,
                   float *u);
  void (*penalize)(ptrdiff_t count, float scale, float l2, float l1, const float *weights, float *gradient);
  void (*moving_average)(ptrdiff_t count, float decay, const float *x, float *average);
} hg_kernels;

/* The table in use; chosen at the first call. */
const hg_kernels *hg_kernels_in_use(void);

/* One table per instruction set that this compiler and this processor family can have. */
extern const hg_kernels hg_kernels_baseline;
#if defined(__x86_64__)
extern const hg_kernels hg_kernels_avx2, hg_kernels_avx512;
#elif defined(__aarch64__)
extern const hg_kernels hg_kernels_neon;
#endif

#endif
