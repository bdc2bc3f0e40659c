/* Calls of version 1.0 that 1.x keeps, each in terms of the call that took its place. */
#include "check.h"

#include <string.h>

const char *hg_conv2d_forward(const hg_geometry2d *geometry, const float *x, const float *gather_filter,
                              const float *bias, hg_activation activation, float *y, const hg_parallel *parallel) {
  return hg_conv2d_forward_with_scratch(geometry, x, gather_filter, bias, activation, y, NULL, parallel);
}

const char *hg_conv2d_transpose_backward_data(const hg_geometry2d *geometry, const float *dx,
                                              const float *gather_filter, hg_activation gate_activation,
                                              const float *gate, float *dy, const hg_parallel *parallel) {
  return hg_conv2d_transpose_backward_data_with_scratch(geometry, dx, gather_filter, gate_activation, gate, dy, NULL,
                                                        parallel);
}

const char *hg_gelu_forward(ptrdiff_t count, const float *x, float *y, const hg_parallel *parallel) {
  return hg_activation_forward(HG_ACTIVATION_GELU, count, x, y, parallel);
}

const char *hg_gelu_backward(ptrdiff_t count, const float *x, const float *dy, float *dx, const hg_parallel *parallel) {
  return hg_activation_backward_input(HG_ACTIVATION_GELU, count, x, dy, dx, parallel);
}

/* `geometry` with Winograd's form as its algorithm, in `copy`; what cannot be read goes on, to be refused. */
static const hg_geometry2d *in_winograd(const hg_geometry2d *geometry, hg_geometry2d *copy) {
  if (!geometry || (geometry->size != sizeof *geometry && geometry->size != HG_GEOMETRY2D_SIZE_1_0)) return geometry;
  memcpy(copy, geometry, geometry->size);
  copy->size = sizeof *copy;
  copy->algorithm = HG_ALGORITHM_WINOGRAD;
  return copy;
}
#define WINOGRAD in_winograd(geometry, &(hg_geometry2d){0})

const char *hg_winograd_check(const hg_geometry2d *geometry) { return hg_conv2d_check(WINOGRAD); }

ptrdiff_t hg_winograd_prepared_gather_count(const hg_geometry2d *geometry) {
  return hg_conv2d_prepared_gather_count(WINOGRAD);
}

ptrdiff_t hg_winograd_prepared_scatter_count(const hg_geometry2d *geometry) {
  return hg_conv2d_prepared_scatter_count(WINOGRAD);
}

/* The most that any pass wants; the filter form wants more than the gather form. */
ptrdiff_t hg_winograd_scratch(const hg_geometry2d *geometry, const hg_parallel *parallel) {
  const ptrdiff_t filter = hg_conv2d_filter_scratch(WINOGRAD, parallel);
  const ptrdiff_t scatter = hg_conv2d_scatter_scratch(WINOGRAD, parallel);
  return filter > scatter ? filter : scatter;
}

const char *hg_winograd_prepare_gather(const hg_geometry2d *geometry, const float *filter, float *prepared,
                                       const hg_parallel *parallel) {
  return hg_conv2d_prepare_gather(WINOGRAD, filter, prepared, parallel);
}

const char *hg_winograd_prepare_scatter(const hg_geometry2d *geometry, const float *filter, float *prepared,
                                        const hg_parallel *parallel) {
  return hg_conv2d_prepare_scatter(WINOGRAD, filter, prepared, parallel);
}

const char *hg_winograd_forward(const hg_geometry2d *geometry, const float *x, const float *gather_filter,
                                const float *bias, hg_activation activation, float *y, float *scratch,
                                const hg_parallel *parallel) {
  return hg_conv2d_forward_with_scratch(WINOGRAD, x, gather_filter, bias, activation, y, scratch, parallel);
}

const char *hg_winograd_backward_data(const hg_geometry2d *geometry, const float *dy, const float *scatter_filter,
                                      hg_activation gate_activation, const float *gate, float *dx, float *scratch,
                                      const hg_parallel *parallel) {
  return hg_conv2d_backward_data(WINOGRAD, dy, scatter_filter, gate_activation, gate, dx, scratch, parallel);
}

const char *hg_winograd_backward_filter(const hg_geometry2d *geometry, const float *x, const float *dy, bool accumulate,
                                        float *dfilter, float *dbias, float *scratch, const hg_parallel *parallel) {
  return hg_conv2d_backward_filter(WINOGRAD, x, dy, accumulate, dfilter, dbias, scratch, parallel);
}

const char *hg_winograd_transpose_forward(const hg_geometry2d *geometry, const float *y, const float *scatter_filter,
                                          const float *bias, hg_activation activation, float *x, float *scratch,
                                          const hg_parallel *parallel) {
  return hg_conv2d_transpose_forward(WINOGRAD, y, scatter_filter, bias, activation, x, scratch, parallel);
}

const char *hg_winograd_transpose_backward_data(const hg_geometry2d *geometry, const float *dx,
                                                const float *gather_filter, hg_activation gate_activation,
                                                const float *gate, float *dy, float *scratch,
                                                const hg_parallel *parallel) {
  return hg_conv2d_transpose_backward_data_with_scratch(WINOGRAD, dx, gather_filter, gate_activation, gate, dy, scratch,
                                                        parallel);
}

const char *hg_winograd_transpose_backward_filter(const hg_geometry2d *geometry, const float *y, const float *dx,
                                                  bool accumulate, float *dfilter, float *dbias, float *scratch,
                                                  const hg_parallel *parallel) {
  return hg_conv2d_transpose_backward_filter(WINOGRAD, y, dx, accumulate, dfilter, dbias, scratch, parallel);
}
