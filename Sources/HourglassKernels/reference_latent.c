/* The definition of the Gaussian latent: one loop in the order of the formula, in double. */
#include "reference.h"

void hg_reference_gaussian_latent_forward(ptrdiff_t samples, ptrdiff_t units, const float *heads, const float *noise,
                                          float *z, float *kl) {
  for (ptrdiff_t n = 0; n < samples; n++) {
    double sum = 0;
    for (ptrdiff_t j = 0; j < units; j++) {
      const double mean = heads[n * 2 * units + j], lv = hg_reference_clamped(heads[n * 2 * units + units + j]);
      z[n * units + j] = noise ? (float)(mean + exp(lv / 2) * noise[n * units + j]) : (float)mean;
      sum += mean * mean + exp(lv) - 1 - lv;
    }
    if (kl) kl[n] = (float)(sum / 2);
  }
}

void hg_reference_gaussian_latent_backward(ptrdiff_t samples, ptrdiff_t units, const float *heads, const float *noise,
                                           const float *dz, float beta, float *dheads) {
  for (ptrdiff_t n = 0; n < samples; n++)
    for (ptrdiff_t j = 0; j < units; j++) {
      const double mean = heads[n * 2 * units + j], head = heads[n * 2 * units + units + j],
                   lv = hg_reference_clamped(head);
      const double d = dz[n * units + j], e = noise ? noise[n * units + j] : 0;
      dheads[n * 2 * units + j] = (float)(d + beta * mean);
      dheads[n * 2 * units + units + j] =
          lv < head || lv > head ? 0 : (float)(d * e * exp(lv / 2) / 2 + beta * (exp(lv) - 1) / 2);
    }
}

void hg_reference_gaussian_free_bits(ptrdiff_t samples, ptrdiff_t units, const float *heads, float free_bits,
                                     float beta, float *dheads) {
  for (ptrdiff_t j = 0; j < units; j++) {
    double sum = 0;
    for (ptrdiff_t n = 0; n < samples; n++) {
      const double mean = heads[n * 2 * units + j], lv = hg_reference_clamped(heads[n * 2 * units + units + j]);
      sum += (mean * mean + exp(lv) - 1 - lv) / 2;
    }
    if (!(sum / samples > free_bits)) continue;
    for (ptrdiff_t n = 0; n < samples; n++) {
      const double mean = heads[n * 2 * units + j], head = heads[n * 2 * units + units + j],
                   lv = hg_reference_clamped(head);
      float *dmean = dheads + n * 2 * units + j, *dlv = dmean + units;
      *dmean = (float)(*dmean + beta * mean);
      if (!(lv < head || lv > head)) *dlv = (float)(*dlv + beta * (exp(lv) - 1) / 2);
    }
  }
}

void hg_reference_gaussian_log_ratio(ptrdiff_t samples, ptrdiff_t units, const float *heads, const float *noise,
                                     const float *z, float *ratio) {
  for (ptrdiff_t n = 0; n < samples; n++) {
    double sum = 0;
    for (ptrdiff_t j = 0; j < units; j++) {
      const double code = z[n * units + j], e = noise[n * units + j];
      sum += code * code - e * e - hg_reference_clamped(heads[n * 2 * units + units + j]);
    }
    ratio[n] = (float)(sum / 2);
  }
}

void hg_reference_gaussian_log_ratio_backward(ptrdiff_t samples, ptrdiff_t units, const float *heads,
                                              const float *noise, const float *z, const float *weights, const float *dz,
                                              float *dheads) {
  for (ptrdiff_t n = 0; n < samples; n++)
    for (ptrdiff_t j = 0; j < units; j++) {
      const double head = heads[n * 2 * units + units + j], lv = hg_reference_clamped(head), w = weights[n];
      const double d = dz[n * units + j] + w * z[n * units + j];
      dheads[n * 2 * units + j] = (float)d;
      dheads[n * 2 * units + units + j] =
          lv < head || lv > head ? 0 : (float)((d * noise[n * units + j] * exp(lv / 2) - w) / 2);
    }
}

void hg_reference_importance_bound(ptrdiff_t images, ptrdiff_t draws, ptrdiff_t count, const float *loss,
                                   const float *ratio, float *bound, float *weights, float *dy) {
  for (ptrdiff_t i = 0; i < images; i++) {
    double greatest = -INFINITY, sum = 0;
    for (ptrdiff_t n = i * draws; n < (i + 1) * draws; n++) {
      const double log_weight = -((double)loss[n] + ratio[n]);
      if (!(log_weight <= greatest)) greatest = log_weight; /* gcc 12 for ARM cannot compile fmax here */
    }
    for (ptrdiff_t n = i * draws; n < (i + 1) * draws; n++) sum += exp(-((double)loss[n] + ratio[n]) - greatest);
    bound[i] = (float)(greatest + log(sum / draws));
    for (ptrdiff_t n = i * draws; n < (i + 1) * draws; n++) {
      const double weight = exp(-((double)loss[n] + ratio[n]) - greatest) / sum;
      weights[n] = (float)weight;
      for (ptrdiff_t j = 0; dy && j < count; j++) dy[n * count + j] = (float)(weight * dy[n * count + j]);
    }
  }
}
