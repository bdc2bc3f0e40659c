/* Group normalisation. Channels go in bundles: as many whole groups as fit 16 lanes, or one group of 16 channels or
 * more. A lane sums over positions, position p in chain p mod CHAINS; then the lanes of a group are added, in the order
 * of lanes, or as a balanced tree where the group fills all 16. */

typedef struct norm_bundle {
  ptrdiff_t sample, first_group, groups, first_channel, channels;
  ptrdiff_t lanes;    /* lanes of a group: 16 where it has as many channels or more */
  ptrdiff_t elements; /* elements of a group */
  ptrdiff_t start;    /* first of the bundle's channels at the first position */
} norm_bundle;

INLINE ptrdiff_t norm_groups_in_bundle(const hg_group_norm *g) { return hg_max(1, 16 / (g->channels / g->groups)); }
INLINE ptrdiff_t norm_bundles(const hg_group_norm *g) { return hg_ceil_div(g->groups, norm_groups_in_bundle(g)); }

INLINE norm_bundle norm_bundle_of(const hg_group_norm *g, ptrdiff_t sample, ptrdiff_t bundle) {
  const ptrdiff_t width = g->channels / g->groups, most = norm_groups_in_bundle(g);
  norm_bundle b = {.sample = sample, .first_group = bundle * most};
  b.groups = hg_min(most, g->groups - b.first_group);
  b.first_channel = b.first_group * width;
  b.channels = b.groups * width;
  b.lanes = hg_min(16, width);
  b.elements = width * g->positions;
  b.start = sample * g->positions * g->channels + b.first_channel;
  return b;
}

/* Every lane gets the mean over its group's elements of what the lanes have summed. */
INLINE v16 norm_means(const norm_bundle *b, v16 sums) {
  if (b->lanes == 16) return v16_splat(v16_sum(sums) / (float)b->elements);
  v16 means = v16_splat(0);
  for (ptrdiff_t group = 0; group < b->groups; group++) {
    float sum = 0;
    for (ptrdiff_t lane = group * b->lanes; lane < (group + 1) * b->lanes; lane++) sum += sums[lane];
    for (ptrdiff_t lane = group * b->lanes; lane < (group + 1) * b->lanes; lane++)
      means[lane] = sum / (float)b->elements;
  }
  return means;
}

/* Lanes from an array with an element for each sample and group, and back. */
INLINE v16 norm_load(const hg_group_norm *g, const norm_bundle *b, const float *statistics) {
  v16 lanes = v16_splat(0);
  for (ptrdiff_t lane = 0; lane < b->lanes * b->groups; lane++)
    lanes[lane] = statistics[b->sample * g->groups + b->first_group + lane / b->lanes];
  return lanes;
}
INLINE void norm_store(const hg_group_norm *g, const norm_bundle *b, v16 lanes, float *statistics) {
  for (ptrdiff_t group = 0; group < b->groups; group++)
    statistics[b->sample * g->groups + b->first_group + group] = lanes[group * b->lanes];
}

enum { CHAINS = 4 };

/* Sum over positions of x, or with a mean of (x - mean)^2. */
INLINE v16 norm_sum_part(const hg_group_norm *g, const float *x, const bool squares, v16 mean, ptrdiff_t n) {
  v16 chain[CHAINS] = {{0}};
  ptrdiff_t p = 0;
  for (; p < g->positions - CHAINS + 1; p += CHAINS) UNROLL for (ptrdiff_t i = 0; i < CHAINS; i++) {
      const v16 value = v16_load_part(x + (p + i) * g->channels, n), d = v16_keep(value - mean, n);
      chain[i] = squares ? d * d + chain[i] : value + chain[i];
    }
  for (ptrdiff_t i = 0; p < g->positions; i++, p++) {
    const v16 value = v16_load_part(x + p * g->channels, n), d = v16_keep(value - mean, n);
    chain[i] = squares ? d * d + chain[i] : value + chain[i];
  }
  return (chain[0] + chain[2]) + (chain[1] + chain[3]);
}

INLINE v16 norm_sum(const hg_group_norm *g, const norm_bundle *b, const float *x, const bool squares, v16 mean) {
  v16 sum = v16_splat(0);
  ptrdiff_t k = 0;
  for (; k + 16 <= b->channels; k += 16) sum += norm_sum_part(g, x + k, squares, mean, 16);
  if (k < b->channels) sum += norm_sum_part(g, x + k, squares, mean, b->channels - k);
  return sum;
}

INLINE void norm_apply_part(const hg_group_norm *g, const float *x, v16 mean, v16 scale, v16 shift, const bool relu,
                            float *y, ptrdiff_t n) {
  for (ptrdiff_t p = 0; p < g->positions; p++) {
    const v16 value = (v16_load_part(x + p * g->channels, n) - mean) * scale + shift;
    v16_store_part(y + p * g->channels, relu ? v16_relu(value) : value, n);
  }
}

/* A weight of 1 where there is none. */
INLINE v16 norm_weight(const hg_group_norm_job *job, ptrdiff_t channel, ptrdiff_t n) {
  return job->weight ? v16_load_part(job->weight + channel, n) : v16_splat(1);
}

/* Parts share the bundles of all samples. */
static void group_norm_forward(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_group_norm_job *job = argument;
  const hg_group_norm *g = job->geometry;
  const ptrdiff_t bundles = norm_bundles(g), end = hg_share(g->samples * bundles, part + 1, parts);
  for (ptrdiff_t i = hg_share(g->samples * bundles, part, parts); i < end; i++) {
    const norm_bundle b = norm_bundle_of(g, i / bundles, i % bundles);
    const float *x = job->x + b.start;
    v16 mean, variance;
    if (job->mean) {
      mean = norm_load(g, &b, job->mean), variance = norm_load(g, &b, job->variance);
    } else {
      mean = norm_means(&b, norm_sum(g, &b, x, false, v16_splat(0)));
      variance = norm_means(&b, norm_sum(g, &b, x, true, mean));
      norm_store(g, &b, mean, job->to_mean), norm_store(g, &b, variance, job->to_variance);
    }
    const v16 inverse = 1.0f / v16_sqrt(variance + g->epsilon);
    for (ptrdiff_t k = 0; k < b.channels; k += 16) {
      const ptrdiff_t n = hg_min(16, b.channels - k), c = b.first_channel + k;
      const v16 scale = norm_weight(job, c, n) * inverse;
      const v16 shift = job->bias ? v16_load_part(job->bias + c, n) : v16_splat(0);
      float *y = job->y + b.start + k;
      if (n < 16)
        norm_apply_part(g, x + k, mean, scale, shift, job->relu, y, n);
      else if (job->relu)
        norm_apply_part(g, x + k, mean, scale, shift, true, y, 16);
      else
        norm_apply_part(g, x + k, mean, scale, shift, false, y, 16);
    }
  }
}

/* Sums over positions of dy and of dy (x - mean) inverse, in two chains each. */
INLINE void norm_backward_sums(const hg_group_norm *g, const float *x, const float *dy, v16 mean, v16 inverse,
                               v16 *errors, v16 *products, ptrdiff_t n) {
  v16 error[2] = {{0}}, product[2] = {{0}};
  for (ptrdiff_t p = 0; p < g->positions; p += 2) UNROLL for (int i = 0; i < 2; i++) {
      if (p + i == g->positions) break;
      const v16 d = v16_load_part(dy + (p + i) * g->channels, n);
      const v16 normal = (v16_load_part(x + (p + i) * g->channels, n) - mean) * inverse;
      error[i] += d;
      product[i] = d * normal + product[i];
    }
  *errors = error[0] + error[1];
  *products = product[0] + product[1];
}

INLINE void norm_add(float *sum, v16 part, ptrdiff_t n) {
  if (sum) v16_store_part(sum, v16_load_part(sum, n) + part, n);
}

/* dx = inverse (weight dy - mean of weight dy - normal x mean of weight dy normal) */
INLINE void norm_backward_part(const hg_group_norm *g, const float *x, const float *dy, v16 mean, v16 inverse,
                               v16 weight, v16 mean_error, v16 mean_product, float *dx, ptrdiff_t n) {
  for (ptrdiff_t p = 0; p < g->positions; p++) {
    const v16 normal = (v16_load_part(x + p * g->channels, n) - mean) * inverse;
    const v16 own = v16_load_part(dy + p * g->channels, n) * weight - mean_error;
    v16_store_part(dx + p * g->channels, (own - normal * mean_product) * inverse, n);
  }
}

INLINE void norm_backward(const hg_group_norm_job *job, const norm_bundle *b) {
  const hg_group_norm *g = job->geometry;
  const float *x = job->x + b->start, *dy = job->dy + b->start;
  const v16 mean = norm_load(g, b, job->mean);
  const v16 inverse = 1.0f / v16_sqrt(norm_load(g, b, job->variance) + g->epsilon);
  v16 error = v16_splat(0), product = v16_splat(0);
  for (ptrdiff_t k = 0; k < b->channels; k += 16) {
    const ptrdiff_t n = hg_min(16, b->channels - k), c = b->first_channel + k;
    v16 errors, products;
    if (n == 16)
      norm_backward_sums(g, x + k, dy + k, mean, inverse, &errors, &products, 16);
    else
      norm_backward_sums(g, x + k, dy + k, mean, inverse, &errors, &products, n);
    norm_add(job->dbias ? job->dbias + c : NULL, errors, n);
    norm_add(job->dweight ? job->dweight + c : NULL, products, n);
    const v16 weight = v16_rounded(norm_weight(job, c, n)); /* or gcc would leave products with 1 out, and fuse none */
    error = weight * errors + error;
    product = weight * products + product;
  }
  if (!job->y) return;
  error = norm_means(b, error), product = norm_means(b, product);
  for (ptrdiff_t k = 0; k < b->channels; k += 16) {
    const ptrdiff_t n = hg_min(16, b->channels - k);
    const v16 weight = norm_weight(job, b->first_channel + k, n);
    if (n == 16)
      norm_backward_part(g, x + k, dy + k, mean, inverse, weight, error, product, job->y + b->start + k, 16);
    else
      norm_backward_part(g, x + k, dy + k, mean, inverse, weight, error, product, job->y + b->start + k, n);
  }
}

/* Parts share the bundles, each of which takes the samples in order. */
static void group_norm_backward(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_group_norm_job *job = argument;
  const hg_group_norm *g = job->geometry;
  const ptrdiff_t bundles = norm_bundles(g), end = hg_share(bundles, part + 1, parts);
  for (ptrdiff_t bundle = hg_share(bundles, part, parts); bundle < end; bundle++) {
    const norm_bundle all = norm_bundle_of(g, 0, bundle);
    const size_t bytes = (size_t)all.channels * sizeof(float);
    if (!job->accumulate && job->dweight) __builtin_memset(job->dweight + all.first_channel, 0, bytes);
    if (!job->accumulate && job->dbias) __builtin_memset(job->dbias + all.first_channel, 0, bytes);
    for (ptrdiff_t sample = 0; sample < g->samples; sample++) {
      const norm_bundle b = norm_bundle_of(g, sample, bundle);
      norm_backward(job, &b);
    }
  }
}
