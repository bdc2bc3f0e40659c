/* Dropout and Gaussian noise: a run of 32 values meets one group of random blocks, and one word of the mask.
 *
 * Runs begin anew with every sample, so that a value's random bits depend on its place in its sample alone. */

/* Run `run` of a sample: n values, HG_RUN but for the last. */
typedef struct noise_run {
  ptrdiff_t sample, run, n;
  ptrdiff_t first; /* its first value among those of all samples */
  ptrdiff_t word;  /* its word among those of the mask of all samples */
} noise_run;

INLINE void for_each_noise_run(const hg_noise_job *job, ptrdiff_t part, ptrdiff_t parts,
                               void (*body)(const hg_noise_job *, const noise_run *, float scale)) {
  const float scale = (float)(1 / (1 - (double)job->rate)); /* 1 - rate of floats would round twice */
  const ptrdiff_t runs = (job->count + HG_RUN - 1) / HG_RUN, whole = job->count / HG_RUN;
  const ptrdiff_t last = hg_share(job->samples * runs, part + 1, parts);
  ptrdiff_t word = hg_share(job->samples * runs, part, parts);
  while (word < last) {
    noise_run r = {.sample = word / runs, .run = word % runs, .n = HG_RUN, .word = word};
    const ptrdiff_t end = hg_min(runs, r.run + last - word);
    r.first = r.sample * job->count + r.run * HG_RUN;
    for (; r.run < hg_min(end, whole); r.run++, r.word++, r.first += HG_RUN) body(job, &r, scale);
    if (r.run < end) {
      r.n = job->count - whole * HG_RUN;
      body(job, &r, scale);
      r.word++;
    }
    word = r.word;
  }
}

/* Values of the half h of a run. */
INLINE ptrdiff_t half_count(const noise_run *r, int h) { return hg_max(0, hg_min(16, r->n - 16 * h)); }

INLINE group_values noise_group(group_values (*group)(const hg_random_stream *, uint64_t), const hg_noise_job *job,
                                const noise_run *r) {
  hg_random_stream stream = job->stream;
  stream.sample += (uint32_t)r->sample;
  return group(&stream, (uint64_t)r->run * GROUP_BLOCKS);
}

/* The bits of a word that stand for the lanes of its half h. */
INLINE v16u lane_bits(int h) {
  const v16u lanes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return ((v16u){0} + 1) << (lanes + 16 * (uint32_t)h);
}

INLINE void dropout_run(const hg_noise_job *job, const noise_run *r, float scale) {
  const group_values bits = noise_group(bits_group, job, r);
  v16u word = {0};
  UNROLL for (int h = 0; h < 2; h++) {
    const v16 x = v16_load_part(job->in + r->first + 16 * h, half_count(r, h));
    v16i kept = (v16i)(bits.run[h] >= ((v16u){0} + job->threshold));
    v16_store_part(job->out + r->first + 16 * h, (v16)((v16i)(x * scale) & kept), half_count(r, h));
    if (job->activation == HG_ACTIVATION_RELU) kept &= x > v16_splat(0);
    word |= (v16u)kept & lane_bits(h);
  }
  for (int width = 8; width > 0; width /= 2)
    for (int lane = 0; lane < width; lane++) word[lane] |= word[lane + width];
  job->kept[r->word] = word[0] & (UINT32_MAX >> (HG_RUN - r->n));
}

static void dropout_forward(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  for_each_noise_run(argument, part, parts, dropout_run);
}

INLINE void dropout_run_backward(const hg_noise_job *job, const noise_run *r, float scale) {
  const v16u word = (v16u){0} + job->mask[r->word];
  UNROLL for (int h = 0; h < 2; h++) {
    const v16i kept = (v16i)((word & lane_bits(h)) != 0);
    v16 dx = v16_load_part(job->in + r->first + 16 * h, half_count(r, h)) * v16_splat(scale);
    if (!hg_is_fused(job->activation))
      dx = v16_gate(job->activation, v16_load_part(job->x + r->first + 16 * h, half_count(r, h)), dx);
    v16_store_part(job->out + r->first + 16 * h, (v16)((v16i)dx & kept), half_count(r, h));
  }
}

static void dropout_backward(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  for_each_noise_run(argument, part, parts, dropout_run_backward);
}

LONG void gaussian_noise_run(const hg_noise_job *job, const noise_run *r, float scale) {
  (void)scale;
  const group_values normal = noise_group(normal_group, job, r);
  UNROLL for (int h = 0; h < 2; h++) {
    const v16 x = v16_load_part(job->in + r->first + 16 * h, half_count(r, h));
    v16_store_part(job->out + r->first + 16 * h, (v16)normal.run[h] * job->deviation + x, half_count(r, h));
  }
}

static void gaussian_noise(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  for_each_noise_run(argument, part, parts, gaussian_noise_run);
}
