/* The definitions of the calls in hourglass_kernels.h: nested loops in the order of the formula, sums in double,
 * filters as R S C K without preparation. Slow; for tests and for reading. Arguments as in the calls they define,
 * which must accept them: nothing is checked here. */
#ifndef HOURGLASS_REFERENCE_H
#define HOURGLASS_REFERENCE_H

#include "hourglass_kernels.h"

#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif
#ifdef __cplusplus
extern "C" {
#endif

void hg_reference_conv2d_forward(const hg_geometry2d *geometry, const float *x, const float *filter, const float *bias,
                                 hg_activation activation, float *y);
void hg_reference_conv2d_backward_data(const hg_geometry2d *geometry, const float *dy, const float *filter,
                                       hg_activation gate_activation, const float *gate, float *dx);
void hg_reference_conv2d_backward_filter(const hg_geometry2d *geometry, const float *x, const float *dy,
                                         bool accumulate, float *dfilter, float *dbias);
void hg_reference_conv2d_transpose_forward(const hg_geometry2d *geometry, const float *y, const float *filter,
                                           const float *bias, hg_activation activation, float *x);
void hg_reference_conv2d_transpose_backward_data(const hg_geometry2d *geometry, const float *dx, const float *filter,
                                                 hg_activation gate_activation, const float *gate, float *dy);
void hg_reference_conv2d_transpose_backward_filter(const hg_geometry2d *geometry, const float *y, const float *dx,
                                                   bool accumulate, float *dfilter, float *dbias);
void hg_reference_max_pool2d_forward(const hg_geometry2d *geometry, const float *x, float *y, uint8_t *switches);
void hg_reference_max_pool2d_backward(const hg_geometry2d *geometry, const float *dy, const uint8_t *switches,
                                      hg_activation gate_activation, const float *y, float *dx);
void hg_reference_max_unpool2d_forward(const hg_geometry2d *geometry, const float *y, const uint8_t *switches,
                                       float *x);
void hg_reference_max_unpool2d_backward(const hg_geometry2d *geometry, const float *dx, const uint8_t *switches,
                                        float *dy);
void hg_reference_upsample2d_forward(const hg_geometry2d *geometry, const float *y, float *x);
void hg_reference_upsample2d_backward(const hg_geometry2d *geometry, const float *dx, float *dy);
void hg_reference_resample2d(const hg_resampling2d *geometry, const float *x, float *y);
void hg_reference_permute_forward(const hg_permutation *permutation, const float *x, float *y);
void hg_reference_permute_backward(const hg_permutation *permutation, const float *dy, float *dx);
void hg_reference_group_norm_forward(const hg_group_norm *geometry, const float *x, const float *weight,
                                     const float *bias, float *y, float *mean, float *variance);
void hg_reference_group_norm_apply(const hg_group_norm *geometry, const float *x, const float *mean,
                                   const float *variance, const float *weight, const float *bias, float *y);
void hg_reference_group_norm_backward(const hg_group_norm *geometry, const float *x, const float *dy, const float *mean,
                                      const float *variance, const float *weight, bool accumulate, float *dx,
                                      float *dweight, float *dbias);
void hg_reference_fork_backward(hg_activation activation, ptrdiff_t count, const float *x, const float *first,
                                const float *second, float *dx);
void hg_reference_join_forward(hg_activation activation, ptrdiff_t count, const float *x, const float *skip, float *y);
void hg_reference_concat_forward(ptrdiff_t positions, ptrdiff_t channels, ptrdiff_t skip_channels, const float *x,
                                 const float *skip, float *y);
void hg_reference_concat_backward(ptrdiff_t positions, ptrdiff_t channels, ptrdiff_t skip_channels, const float *dy,
                                  float *dx, float *dskip);
void hg_reference_dense_forward(const hg_dense *geometry, const float *x, const float *weight, const float *bias,
                                hg_activation activation, float *y);
void hg_reference_dense_backward_data(const hg_dense *geometry, const float *dy, const float *weight,
                                      hg_activation gate_activation, const float *gate, float *dx);
void hg_reference_dense_backward_weight(const hg_dense *geometry, const float *x, const float *dy, bool accumulate,
                                        float *dweight, float *dbias);
void hg_reference_activation_forward(hg_activation activation, ptrdiff_t count, const float *x, float *y);
void hg_reference_activation_backward(hg_activation activation, ptrdiff_t count, const float *y, const float *dy,
                                      float *dx);
void hg_reference_activation_backward_input(hg_activation activation, ptrdiff_t count, const float *x, const float *dy,
                                            float *dx);
void hg_reference_prelu_forward(ptrdiff_t positions, ptrdiff_t channels, const float *x, const float *slope, float *y);
void hg_reference_prelu_backward(ptrdiff_t positions, ptrdiff_t channels, const float *x, const float *dy,
                                 const float *slope, bool accumulate, float *dx, float *dslope);
void hg_reference_softmax_forward(ptrdiff_t positions, ptrdiff_t channels, const float *x, float *y);
void hg_reference_softmax_backward(ptrdiff_t positions, ptrdiff_t channels, const float *y, const float *dy, float *dx);
void hg_reference_bernoulli_logits(ptrdiff_t samples, ptrdiff_t count, const float *logits, const float *targets,
                                   float *loss, float *dlogits);
void hg_reference_squared_error(ptrdiff_t samples, ptrdiff_t count, const float *y, const float *targets, float *loss,
                                float *dy);
void hg_reference_absolute_error(ptrdiff_t samples, ptrdiff_t count, const float *y, const float *targets, float *loss,
                                 float *dy);
void hg_reference_huber_error(ptrdiff_t samples, ptrdiff_t count, const float *y, const float *targets, float *loss,
                              float *dy);
void hg_reference_log_cosh_error(ptrdiff_t samples, ptrdiff_t count, const float *y, const float *targets, float *loss,
                                 float *dy);
void hg_reference_poisson(ptrdiff_t samples, ptrdiff_t count, const float *log_rates, const float *targets, float *loss,
                          float *dlog_rates);
void hg_reference_multinomial(ptrdiff_t samples, ptrdiff_t count, const float *logits, const float *targets,
                              float *loss, float *dlogits);
void hg_reference_gaussian(ptrdiff_t samples, ptrdiff_t count, float variance, const float *y, const float *targets,
                           float *loss, float *dy);
void hg_reference_gaussian_heads(ptrdiff_t samples, ptrdiff_t pixels, ptrdiff_t channels, const float *heads,
                                 const float *targets, float *loss, float *dheads);
void hg_reference_negative_binomial(ptrdiff_t samples, ptrdiff_t pixels, ptrdiff_t channels, const float *heads,
                                    const float *targets, float *loss, float *dheads);
void hg_reference_discretized_logistic(ptrdiff_t samples, ptrdiff_t pixels, ptrdiff_t channels, const float *heads,
                                       const float *targets, float *loss, float *dheads);
void hg_reference_softmax_cross_entropy(ptrdiff_t samples, ptrdiff_t classes, const float *logits,
                                        const int32_t *labels, float *loss, float *dlogits);
void hg_reference_ssim(ptrdiff_t samples, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels, const float *y,
                       const float *targets, float *loss, float *dy);
void hg_reference_ms_ssim(ptrdiff_t samples, ptrdiff_t height, ptrdiff_t width, ptrdiff_t channels, const float *y,
                          const float *targets, float *loss, float *dy);
void hg_reference_gaussian_latent_forward(ptrdiff_t samples, ptrdiff_t units, const float *heads, const float *noise,
                                          float *z, float *kl);
void hg_reference_gaussian_latent_backward(ptrdiff_t samples, ptrdiff_t units, const float *heads, const float *noise,
                                           const float *dz, float beta, float *dheads);
void hg_reference_gaussian_log_ratio(ptrdiff_t samples, ptrdiff_t units, const float *heads, const float *noise,
                                     const float *z, float *ratio);
void hg_reference_gaussian_log_ratio_backward(ptrdiff_t samples, ptrdiff_t units, const float *heads,
                                              const float *noise, const float *z, const float *weights, const float *dz,
                                              float *dheads);
void hg_reference_importance_bound(ptrdiff_t images, ptrdiff_t draws, ptrdiff_t count, const float *loss,
                                   const float *ratio, float *bound, float *weights, float *dy);
void hg_reference_gaussian_free_bits(ptrdiff_t samples, ptrdiff_t units, const float *heads, float free_bits,
                                     float beta, float *dheads);
void hg_reference_random_bits(const hg_random_stream *stream, ptrdiff_t first, ptrdiff_t count, uint32_t *out);
void hg_reference_random_uniform(const hg_random_stream *stream, ptrdiff_t first, ptrdiff_t count, float *out);
void hg_reference_random_normal(const hg_random_stream *stream, ptrdiff_t first, ptrdiff_t count, float *out);
void hg_reference_dropout_forward(const hg_random_stream *stream, float rate, ptrdiff_t samples, ptrdiff_t count,
                                  hg_activation input_activation, const float *x, float *y, uint32_t *mask);
void hg_reference_dropout_backward(float rate, ptrdiff_t samples, ptrdiff_t count, const float *dy,
                                   const uint32_t *mask, hg_activation input_activation, const float *x, float *dx);
void hg_reference_gaussian_noise(const hg_random_stream *stream, float deviation, ptrdiff_t samples, ptrdiff_t count,
                                 const float *x, float *y);
void hg_reference_sum_shards(ptrdiff_t count, ptrdiff_t shards, ptrdiff_t stride, const float *gradients,
                             bool accumulate, float *sum);
ptrdiff_t hg_reference_first_nonfinite(ptrdiff_t count, const float *x);
double hg_reference_sum_of_squares(ptrdiff_t count, const float *x);
void hg_reference_argmin(ptrdiff_t rows, ptrdiff_t columns, const float *x, int32_t *indices);
void hg_reference_adam(const hg_adam_options *options, ptrdiff_t count, const float *gradient, float *weights, float *m,
                       float *v);
void hg_reference_sgd(const hg_sgd_options *options, ptrdiff_t count, const float *gradient, float *weights, float *m);
void hg_reference_rmsprop(const hg_rmsprop_options *options, ptrdiff_t count, const float *gradient, float *weights,
                          float *v, float *m);
void hg_reference_adagrad(const hg_adagrad_options *options, ptrdiff_t count, const float *gradient, float *weights,
                          float *v);
void hg_reference_adadelta(const hg_adadelta_options *options, ptrdiff_t count, const float *gradient, float *weights,
                           float *v, float *u);
void hg_reference_penalize(ptrdiff_t count, float scale, float l2, float l1, const float *weights, float *gradient);
void hg_reference_clip(ptrdiff_t count, float scale, float limit, float *gradient);
void hg_reference_moving_average(ptrdiff_t count, float decay, const float *x, float *average);

#ifdef __cplusplus
}
#endif
#ifdef __GNUC__
#pragma GCC visibility pop
#endif

#endif
