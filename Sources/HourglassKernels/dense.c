/* Dense layers: weights in place, operands packed where they are not whole groups of 16 columns. */
#include "check.h"
#include "isa.h"

const char *hg_dense_check(const hg_dense *g) {
  if (!g) return HG_IS_NULL("the geometry is NULL");
  if (g->size != sizeof *g) return HG_BAD_SIZE("geometry.size is not sizeof(hg_dense)");
  if (g->samples < 0) return HG_BAD_GEOMETRY("the number of samples is negative");
  if (g->inputs < 1) return HG_BAD_GEOMETRY("the dense layer has no inputs");
  if (g->outputs < 1) return HG_BAD_GEOMETRY("the dense layer has no outputs");
  const ptrdiff_t most = (ptrdiff_t)1 << 31;
  if (g->inputs > most || g->outputs > most)
    return HG_BAD_GEOMETRY("the inputs or outputs of the dense layer exceed 2^31");
  /* Extents are rounded up to what packing needs; doubles cannot overflow here. */
  const double N = (double)g->samples + 15, I = (double)g->inputs, O = (double)g->outputs + 15;
  if (I * O >= HG_MOST_ELEMENTS) return HG_BAD_GEOMETRY("the weight has 2^40 elements or more");
  if (N * I >= HG_MOST_ELEMENTS || N * O >= HG_MOST_ELEMENTS)
    return HG_BAD_GEOMETRY("the inputs or outputs of all samples have 2^40 elements or more");
  return NULL;
}

/* What every call asks. `arrays`: whether those are there that it needs as soon as there are samples. */
static const char *check(const hg_dense *g, hg_activation activation, bool arrays, const hg_parallel *parallel) {
  HG_CHECK(hg_dense_check(g));
  HG_CHECK(hg_check_activation(activation));
  HG_CHECK(hg_check_arrays(arrays || g->samples == 0));
  return hg_parallel_check(parallel);
}

ptrdiff_t hg_dense_forward_scratch(const hg_dense *geometry, const hg_parallel *parallel) {
  if (hg_dense_check(geometry) || hg_parallel_check(parallel)) return -1;
  return geometry->outputs % 16 ? geometry->inputs * 16 : 0;
}

/* Parts that work on the gradient of the data: they share the inputs in groups of 16. */
static ptrdiff_t backward_data_rooms(const hg_dense *g, const hg_parallel *parallel) {
  const ptrdiff_t operands = g->samples * (g->inputs + g->outputs) + g->inputs * g->outputs;
  return hg_rooms(parallel, hg_round_up(g->samples) * g->outputs, hg_ceil_div(g->inputs, 16), operands);
}

ptrdiff_t hg_dense_backward_data_scratch(const hg_dense *geometry, const hg_parallel *parallel) {
  if (hg_dense_check(geometry) || hg_parallel_check(parallel)) return -1;
  return backward_data_rooms(geometry, parallel) * hg_round_up(geometry->samples) * geometry->outputs;
}

ptrdiff_t hg_dense_backward_weight_scratch(const hg_dense *geometry, const hg_parallel *parallel) {
  if (hg_dense_check(geometry) || hg_parallel_check(parallel)) return -1;
  return geometry->outputs % 16 ? geometry->samples * 16 : 0;
}

const char *hg_dense_forward(const hg_dense *geometry, const float *x, const float *weight, const float *bias,
                             hg_activation activation, float *y, float *scratch, const hg_parallel *parallel) {
  HG_CHECK(check(geometry, activation, x && weight && y, parallel));
  HG_CHECK(hg_check_arrays((scratch && weight) || geometry->outputs % 16 == 0));
  if (geometry->outputs % 16) hg_pack_tail(geometry->inputs, geometry->outputs, weight, scratch, parallel);
  const hg_output output = {.out = y, .bias = bias, .relu = activation == HG_ACTIVATION_RELU};
  const hg_dense_forward_job job = {geometry, x, weight, scratch, output};
  hg_run(hg_kernels_in_use()->dense_forward, &job, parallel);
  if (!hg_is_fused(activation))
    hg_activation_forward(activation, geometry->samples * geometry->outputs, y, y, parallel);
  return NULL;
}

const char *hg_dense_backward_data(const hg_dense *geometry, const float *dy, const float *weight,
                                   hg_activation gate_activation, const float *gate, float *dx, float *scratch,
                                   const hg_parallel *parallel) {
  HG_CHECK(check(geometry, gate_activation,
                 dy && weight && dx && scratch && (gate || gate_activation == HG_ACTIVATION_LINEAR), parallel));
  const hg_output output = {.out = dx, .gate = gate_activation == HG_ACTIVATION_RELU ? gate : NULL};
  const hg_dense_backward_data_job job = {geometry, dy,      weight,
                                          output,   scratch, backward_data_rooms(geometry, parallel)};
  hg_run(hg_kernels_in_use()->dense_backward_data, &job, parallel);
  if (!hg_is_fused(gate_activation))
    hg_activation_backward(gate_activation, geometry->samples * geometry->inputs, gate, dx, dx, parallel);
  return NULL;
}

const char *hg_dense_backward_weight(const hg_dense *geometry, ptrdiff_t first_input, ptrdiff_t last_input,
                                     const float *x, const float *dy, bool accumulate, float *dweight, float *scratch,
                                     const hg_parallel *parallel) {
  HG_CHECK(check(geometry, HG_ACTIVATION_LINEAR, x && dy, parallel));
  HG_CHECK(hg_check_arrays(dweight && (scratch || geometry->samples == 0 || geometry->outputs % 16 == 0)));
  if (first_input < 0 || last_input < first_input || last_input > geometry->inputs)
    return HG_BAD_VALUE("the rows of the weight's gradient are not within the inputs");
  if (geometry->outputs % 16) hg_pack_tail(geometry->samples, geometry->outputs, dy, scratch, parallel);
  const hg_output output = {.out = dweight, .accumulate = accumulate};
  const hg_dense_backward_weight_job job = {geometry, first_input, last_input, x, dy, scratch, output};
  hg_run(hg_kernels_in_use()->dense_backward_weight, &job, parallel);
  return NULL;
}

const char *hg_dense_backward_bias(const hg_dense *geometry, const float *dy, bool accumulate, float *dbias,
                                   const hg_parallel *parallel) {
  HG_CHECK(check(geometry, HG_ACTIVATION_LINEAR, dy, parallel));
  HG_CHECK(hg_check_arrays(dbias));
  const hg_image rows = {1, 1, geometry->samples, geometry->outputs, {0, 0, geometry->outputs}};
  const hg_column_sums_job job = {.image = rows, .in = dy, .accumulate = accumulate, .out = dbias};
  hg_run(hg_kernels_in_use()->column_sums, &job, parallel);
  return NULL;
}

typedef struct transpose_job {
  ptrdiff_t rows, columns;
  const float *in;
  float *out;
} transpose_job;

/* Parts share strips of 16 rows; the kernel stores whole groups of 16, which the last rows need not be. */
static void transpose_part(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const transpose_job *job = argument;
  const ptrdiff_t rows = job->rows, columns = job->columns, strips = hg_ceil_div(rows, 16);
  const ptrdiff_t end = hg_share(strips, part + 1, parts) * 16;
  for (ptrdiff_t i = hg_share(strips, part, parts) * 16; i < end; i += 16) {
    const float *in = job->in + i * columns;
    float *out = job->out + i;
    if (rows - i >= 16) {
      hg_kernels_in_use()->transpose(16, columns, in, columns, out, rows, 16);
    } else {
      for (ptrdiff_t j = 0; j < columns; j++)
        for (ptrdiff_t k = 0; k < rows - i; k++) out[j * rows + k] = in[k * columns + j];
    }
  }
}

const char *hg_transpose(ptrdiff_t rows, ptrdiff_t columns, const float *in, float *out, const hg_parallel *parallel) {
  HG_CHECK(hg_check_count(rows, columns));
  HG_CHECK(hg_check_arrays((in && out) || rows == 0 || columns == 0));
  HG_CHECK(hg_parallel_check(parallel));
  const transpose_job job = {rows, columns, in, out};
  hg_run(transpose_part, &job, parallel);
  return NULL;
}
