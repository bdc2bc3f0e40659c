/* The definition of resampling. */
#include "reference.h"

void hg_reference_resample2d(const hg_resampling2d *g, const float *x, float *y) {
  const hg_resampling_axis *v = &g->vertical, *h = &g->horizontal;
  HG_FOR(n, g->samples) HG_FOR(p, v->outputs) HG_FOR(q, h->outputs) HG_FOR(c, g->channels) {
    double sum = 0;
    for (ptrdiff_t a = v->start[p]; a < v->start[p + 1]; a++)
      for (ptrdiff_t b = h->start[q]; b < h->start[q + 1]; b++)
        sum += (double)x[((n * v->inputs + v->input[a]) * h->inputs + h->input[b]) * g->channels + c] * v->weight[a] *
               h->weight[b];
    y[((n * v->outputs + p) * h->outputs + q) * g->channels + c] = (float)sum;
  }
}
