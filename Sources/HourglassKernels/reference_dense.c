/* The definition of dense layers: sums in double. */
#include "reference.h"

void hg_reference_dense_forward(const hg_dense *g, const float *x, const float *weight, const float *bias,
                                hg_activation activation, float *y) {
  HG_FOR(n, g->samples) HG_FOR(o, g->outputs) {
    double sum = bias ? bias[o] : 0;
    HG_FOR(i, g->inputs) sum += (double)x[n * g->inputs + i] * weight[i * g->outputs + o];
    y[n * g->outputs + o] = (float)hg_reference_activated(activation, sum);
  }
}

void hg_reference_dense_backward_data(const hg_dense *g, const float *dy, const float *weight,
                                      hg_activation gate_activation, const float *gate, float *dx) {
  HG_FOR(n, g->samples) HG_FOR(i, g->inputs) {
    double sum = 0;
    HG_FOR(o, g->outputs) sum += (double)dy[n * g->outputs + o] * weight[i * g->outputs + o];
    dx[n * g->inputs + i] = (float)hg_reference_gated(gate_activation, gate, n * g->inputs + i, sum);
  }
}

/* bias[j] += sum over i of error[i, j]. */
static void bias_sums(ptrdiff_t rows, ptrdiff_t columns, const float *error, bool accumulate, float *bias) {
  HG_FOR(j, columns) {
    double sum = accumulate ? bias[j] : 0;
    HG_FOR(i, rows) sum += error[i * columns + j];
    bias[j] = (float)sum;
  }
}

void hg_reference_dense_backward_weight(const hg_dense *g, const float *x, const float *dy, bool accumulate,
                                        float *dweight, float *dbias) {
  HG_FOR(i, g->inputs) HG_FOR(o, g->outputs) {
    double sum = accumulate ? dweight[i * g->outputs + o] : 0;
    HG_FOR(n, g->samples) sum += (double)x[n * g->inputs + i] * dy[n * g->outputs + o];
    dweight[i * g->outputs + o] = (float)sum;
  }
  if (dbias) bias_sums(g->samples, g->outputs, dy, accumulate, dbias);
}
