/* The depthwise form: groups of one channel on a side, or of few on both. Lanes are output channels, each with the
 * channels of its group for an input. A tile is some positions of a row, for one vector of a chunk after the other.
 * Sums are chains of multiply-adds in the order of the gather form, (r, s, ins); what lies left and right of the input
 * are zeros. */

/* Positions of a tile: as many chains as hide the latency. */
enum { DEPTHWISE_POSITIONS = 8 };

/* A row of tiles. Taps: `rows` rows that lie `row` apart in the input, which continues at its start where it reaches
 * `wrap`, each of n2 times n1 steps of a1, a2 apart, whose weights follow one another `lanes` apart, and those of the
 * next row `down` behind. Positions are `step` apart in the input and `out` apart in the output. */
typedef struct depthwise_taps {
  ptrdiff_t rows, row, wrap, n2, a2, n1, a1, lanes, down, columns, step, out;
} depthwise_taps;

/* Where the last vector is a part, of n floats: the bias from, and sums to the output. */
static __attribute__((noinline)) void depthwise_edge_start(const float *bias, ptrdiff_t n, float *lanes) {
  for (ptrdiff_t j = 0; j < HG_LANES; j++) lanes[j] = j < n ? bias[j] : 0;
}
static __attribute__((noinline)) void depthwise_edge_end(const hg_output *o, ptrdiff_t k, ptrdiff_t out, int positions,
                                                         ptrdiff_t n, const float *sums) {
  for (int i = 0; i < positions; i++)
    for (ptrdiff_t j = 0; j < n; j++) {
      const ptrdiff_t to = i * out + k + j;
      const float y = o->gate && !(o->gate[to] > 0) ? 0 : sums[i * HG_LANES + j];
      o->out[to] = o->relu && y < 0 ? 0 : y;
    }
}

/* Vectors of lanes overlap where the last would not be whole; of fewer channels than 16 it is a part. */
INLINE void depthwise_tiles(const int positions, const depthwise_taps *d, const float *in, ptrdiff_t place,
                            ptrdiff_t column, const float *filter, const hg_output *o, ptrdiff_t tiles) {
  const ptrdiff_t columns = d->columns, step = d->step, lanes = d->lanes, to = d->out;
  const ptrdiff_t rows = d->rows, row = d->row, wrap = d->wrap, n2 = d->n2, n1 = d->n1, a1 = d->a1;
  const ptrdiff_t next = d->a2 - n1 * a1, down = d->down;
  const float *const bias = o->bias, *gate = o->gate;
  float *out = o->out;
  for (ptrdiff_t tile = 0; tile < tiles; tile++) {
    for (ptrdiff_t first = 0; first < columns; first += HG_LANES) {
      const ptrdiff_t k = columns >= 16 ? hg_min(first, columns - HG_LANES) : first, count = columns - k;
      vec sum[DEPTHWISE_POSITIONS], start = vec_splat(0);
      float edge[DEPTHWISE_POSITIONS * HG_LANES];
      if (bias && count < HG_LANES) {
        depthwise_edge_start(bias + k, count, edge);
        start += vec_load(edge);
      } else if (bias) {
        start += vec_load(bias + k);
      }
      UNROLL for (int i = 0; i < positions; i++) sum[i] = start;
      ptrdiff_t at = place;
      const float *w = filter + k;
      for (ptrdiff_t r = 0; r < rows; r++, w += down) {
        const float *x = in + (at + column + k);
        for (ptrdiff_t outer = 0; outer < n2; outer++, x += next)
          for (ptrdiff_t l = 0; l < n1; l++, x += a1, w += lanes) {
            const vec weight = vec_load(w);
            UNROLL for (int i = 0; i < positions; i++) sum[i] += vec_load(x + i * step) * weight;
          }
        at += row;
        if (at >= wrap) at -= wrap;
      }
      if (count < HG_LANES) {
        const hg_output now = output_at(*o, out - o->out);
        UNROLL for (int i = 0; i < positions; i++) vec_store(edge + i * HG_LANES, sum[i]);
        depthwise_edge_end(&now, k, to, positions, count, edge);
      } else if (gate) {
        UNROLL for (int i = 0; i < positions; i++)
            vec_store(out + k + i * to, vec_gate(vec_load(gate + k + i * to), sum[i]));
      } else if (o->relu) {
        UNROLL for (int i = 0; i < positions; i++) vec_store(out + k + i * to, vec_relu(sum[i]));
      } else {
        UNROLL for (int i = 0; i < positions; i++) vec_store(out + k + i * to, sum[i]);
      }
    }
    column += positions * step, out += positions * to;
    if (gate) gate += positions * to;
  }
}

#define DEPTHWISE_PARAMETERS                                                                        \
  const depthwise_taps *d, const float *in, ptrdiff_t place, ptrdiff_t column, const float *filter, \
      const hg_output *o, ptrdiff_t tiles
#define DEPTHWISE_TILES(positions)                                                          \
  static __attribute__((noinline)) void depthwise_tiles_##positions(DEPTHWISE_PARAMETERS) { \
    depthwise_tiles(positions, d, in, place, column, filter, o, tiles);                     \
  }
#define DEPTHWISE_TILES_NAME(positions) [positions] = depthwise_tiles_##positions,
#define DEPTHWISE_SIZES(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8)
DEPTHWISE_SIZES(DEPTHWISE_TILES)
static void (*const depthwise_sizes[DEPTHWISE_POSITIONS + 1])(DEPTHWISE_PARAMETERS) = {
    DEPTHWISE_SIZES(DEPTHWISE_TILES_NAME)};

/* The outputs `phase` + `apart` i of an axis of the job, of which [met, end) meet taps; `before` taps lie before theirs
 * in the prepared weights, counted along this axis. */
typedef struct depthwise_axis {
  hg_axis axis;
  ptrdiff_t phase, apart, before, met, end;
} depthwise_axis;

INLINE depthwise_axis depthwise_axis_of(const hg_axis *gather, bool scatter, ptrdiff_t phase) {
  depthwise_axis a = {.axis = *gather, .apart = 1};
  if (scatter) {
    const ptrdiff_t step = hg_phase_step(gather->stride, gather->dilation);
    const ptrdiff_t tap = hg_phase_first_tap(phase, gather->taps, gather->stride, gather->pad, gather->dilation);
    a = (depthwise_axis){.axis = hg_phase_axis(gather, phase), .phase = phase, .apart = gather->stride};
    if (a.axis.taps) a.before = hg_phase_taps_before(tap, gather->taps, step);
  }
  if (a.axis.taps) {
    const ptrdiff_t span = a.axis.dilation * (a.axis.taps - 1), beyond = hg_max(0, a.axis.inputs + a.axis.pad);
    a.end = hg_min(a.axis.outputs, hg_ceil_div(beyond, a.axis.stride));
    a.met = hg_min(a.end, hg_ceil_div(hg_max(0, a.axis.pad - span), a.axis.stride));
  }
  return a;
}

/* The axes of the phases below 4, which are nearly all that there are; others are made when they are needed. */
typedef struct depthwise_phases {
  hg_axis gather;
  bool scatter;
  depthwise_axis first[4], other;
} depthwise_phases;

static depthwise_phases depthwise_phases_of(hg_axis gather, bool scatter) {
  depthwise_phases p = {.gather = gather, .scatter = scatter};
  for (ptrdiff_t phase = 0; phase < (scatter ? hg_min(4, gather.stride) : 1); phase++)
    p.first[phase] = depthwise_axis_of(&gather, scatter, phase);
  return p;
}
INLINE const depthwise_axis *depthwise_phase(depthwise_phases *p, ptrdiff_t phase) {
  if (phase < 4) return &p->first[phase];
  p->other = depthwise_axis_of(&p->gather, p->scatter, phase);
  return &p->other;
}

/* Each channel of a group of `ins` in all lanes of its group: out[a][j] = x[j / ins * ins + a]. */
#define DEPTHWISE_SPREAD(a, mask)                                                                                    \
  v16_store(out + (a)*chunk,                                                                                         \
            SHUFFLE(v16i, x, x, (0 & mask) + a, (1 & mask) + a, (2 & mask) + a, (3 & mask) + a, (4 & mask) + a,      \
                    (5 & mask) + a, (6 & mask) + a, (7 & mask) + a, (8 & mask) + a, (9 & mask) + a, (10 & mask) + a, \
                    (11 & mask) + a, (12 & mask) + a, (13 & mask) + a, (14 & mask) + a, (15 & mask) + a));
INLINE void depthwise_spread(ptrdiff_t ins, v16 x, ptrdiff_t chunk, float *out) {
  if (ins == 2) {
    DEPTHWISE_SPREAD(0, 14) DEPTHWISE_SPREAD(1, 14)
  } else if (ins == 4) {
    DEPTHWISE_SPREAD(0, 12) DEPTHWISE_SPREAD(1, 12) DEPTHWISE_SPREAD(2, 12) DEPTHWISE_SPREAD(3, 12)
  } else {
    DEPTHWISE_SPREAD(0, 8)
    DEPTHWISE_SPREAD(1, 8)
    DEPTHWISE_SPREAD(2, 8)
    DEPTHWISE_SPREAD(3, 8) DEPTHWISE_SPREAD(4, 8) DEPTHWISE_SPREAD(5, 8) DEPTHWISE_SPREAD(6, 8) DEPTHWISE_SPREAD(7, 8)
  }
}

/* Output channels [k, k + count) of a row of pixels of the input: for each the channels of its group. */
static void depthwise_copy(const hg_depthwise_shape *s, ptrdiff_t k, ptrdiff_t count, const float *in, ptrdiff_t pixels,
                           const hg_strides *apart, float *out) {
  const ptrdiff_t pixel = apart->pixel, row = apart->row, chunk = s->chunk;
  out += s->left * s->ins * chunk;
  if (s->ins == 1 && s->outs == 1 && count >= 16) {
    for (ptrdiff_t i = 0; i < pixels; i++)
      for (ptrdiff_t j = 0; j < count; j += 16) {
        const ptrdiff_t at = hg_min(j, count - 16);
        const float *from = in + i * pixel + k + at;
        __builtin_prefetch(from + row); /* of the row that comes next */
        v16_store(out + i * chunk + at, v16_load(from));
      }
    return;
  }
  if (s->ins == s->outs && (s->ins == 2 || s->ins == 4 || s->ins == 8) && count % 16 == 0 && k % s->ins == 0) {
    for (ptrdiff_t i = 0; i < pixels; i++, out += s->ins * chunk)
      for (ptrdiff_t j = 0; j < count; j += 16)
        depthwise_spread(s->ins, v16_load(in + i * pixel + k + j), chunk, out + j);
    return;
  }
  const ptrdiff_t first = k / s->outs * s->ins, skip = k % s->outs;
  for (ptrdiff_t i = 0; i < pixels; i++)
    for (ptrdiff_t a = 0; a < s->ins; a++, out += chunk) {
      const float *from = in + i * pixel + first + a;
      for (ptrdiff_t j = 0, left = s->outs - skip; j < count; j++) {
        out[j] = *from;
        if (--left == 0) from += s->ins, left = s->outs;
      }
    }
}

/* The first channel of the chunk at `k`; where fewer than 16 are left it begins earlier. */
INLINE ptrdiff_t depthwise_chunk(ptrdiff_t columns, ptrdiff_t k) {
  return columns - k < 16 ? hg_max(0, columns - 16) : k;
}

/* The outputs of a row, those of one phase. taps: with its rows, and in `out` the floats of a pixel. */
static void depthwise_row(const hg_depthwise_shape *s, depthwise_taps taps, const depthwise_axis *h, const float *in,
                          ptrdiff_t place, const float *filter, hg_output output) {
  const hg_axis *axis = &h->axis;
  const ptrdiff_t pixel = s->ins * s->chunk, tap = axis->dilation * pixel;
  const bool even = s->ins == 1 || axis->dilation == 1; /* then all steps of a row are */
  taps.n2 = even ? 1 : axis->taps, taps.a2 = tap;
  taps.n1 = even ? axis->taps * s->ins : s->ins, taps.a1 = s->ins == 1 ? tap : s->chunk;
  output = output_at(output, h->phase * taps.out);
  taps.step = axis->stride * pixel, taps.out *= h->apart;
  const ptrdiff_t bounds[] = {0, h->met, h->end, axis->outputs}, rows = taps.rows;
  for (int i = 0; i < 3; i++) { /* outputs without taps, with, and without */
    const ptrdiff_t count = bounds[i + 1] - bounds[i], tiles = hg_ceil_div(count, DEPTHWISE_POSITIONS);
    ptrdiff_t column = (bounds[i] * axis->stride + s->left - axis->pad) * pixel;
    taps.rows = i == 1 ? rows : 0;
    for (ptrdiff_t tile = 0; tile < tiles;) { /* as many of one size more, and the rest */
      const ptrdiff_t some = count / tiles, more = count - some * tiles;
      const ptrdiff_t positions = tile < more ? some + 1 : some, turns = tile < more ? more : tiles - more;
      depthwise_sizes[positions](&taps, in, place, column, filter, &output, turns);
      column += turns * positions * taps.step, tile += turns;
      output = output_at(output, turns * positions * taps.out);
    }
  }
}

/* Rows [h, end) of sample n of the output, channels [k, k + count). */
static void depthwise_rows(const hg_depthwise_job *job, const hg_depthwise_shape *s, depthwise_phases *down,
                           depthwise_phases *across, ptrdiff_t n, ptrdiff_t h, ptrdiff_t end, ptrdiff_t k,
                           ptrdiff_t count, float *ring) {
  const hg_geometry2d *g = job->geometry;
  const hg_image from = job->scatter ? hg_small_image(g) : hg_large_image(g);
  const hg_image to = job->scatter ? hg_large_image(g) : hg_small_image(g);
  const ptrdiff_t U = job->scatter ? g->stride_vertical : 1, V = job->scatter ? g->stride_horizontal : 1;
  const ptrdiff_t weights = s->ins * s->lanes;
  const float *in = job->in + n * from.strides.sample;
  for (ptrdiff_t ready = 0; h < end; h++) {
    const depthwise_axis *v = depthwise_phase(down, U == 1 ? 0 : h % U);
    const ptrdiff_t i = U == 1 ? h : h / U;
    const gather_run run = gather_taps(&v->axis, i);
    const ptrdiff_t top = run.taps ? i * v->axis.stride - v->axis.pad + run.tap * v->axis.dilation : 0;
    const ptrdiff_t last = run.taps ? top + (run.taps - 1) * v->axis.dilation : -1;
    for (ready = hg_max(ready, last - s->ring + 1); ready <= last; ready++)
      depthwise_copy(s, k, count, in + ready * from.strides.row, from.width, &from.strides,
                     ring + ready % s->ring * s->row);
    const hg_output output = output_at(output_column(job->output, k), n * to.strides.sample + h * to.strides.row);
    for (ptrdiff_t phase = 0; phase < hg_min(V, to.width); phase++) {
      const depthwise_axis *a = depthwise_phase(across, phase);
      const depthwise_taps taps = {.rows = run.taps,
                                   .row = v->axis.dilation * s->row,
                                   .wrap = s->ring * s->row,
                                   .lanes = s->lanes,
                                   .columns = count,
                                   .out = to.strides.pixel};
      const ptrdiff_t before = v->before * g->filter_width + a->before * v->axis.taps + run.tap * a->axis.taps;
      depthwise_row(s, taps, a, ring, top % s->ring * s->row, job->filter + before * weights + k, output);
    }
  }
}

/* Parts share the rows of the output. */
static void depthwise(const void *argument, ptrdiff_t part, ptrdiff_t parts) {
  const hg_depthwise_job *job = argument;
  parts = hg_min(parts, job->rooms);
  if (part >= parts) return;
  const hg_geometry2d *g = job->geometry;
  const hg_depthwise_shape s = hg_depthwise_shape_of(g, job->scatter, false);
  depthwise_phases down = depthwise_phases_of(hg_vertical_axis(g), job->scatter);
  depthwise_phases across = depthwise_phases_of(hg_horizontal_axis(g), job->scatter);
  const ptrdiff_t height = job->scatter ? g->large_height : g->small_height;
  const ptrdiff_t band = hg_max(1, HG_DEPTHWISE_BAND / (hg_sample_count(g) / height + 1));
  const ptrdiff_t end = hg_share(g->samples * height, part + 1, parts);
  float *ring = job->scratch + part * s.ring * s.row;
  __builtin_memset(ring, 0, (size_t)(s.ring * s.row) * sizeof(float));
  for (ptrdiff_t i = hg_share(g->samples * height, part, parts); i < end;) {
    const ptrdiff_t n = i / height, h = i % height, rows = hg_min(end - i, hg_min(height - h, band));
    for (ptrdiff_t at = 0; at < s.columns; at += s.chunk) {
      const ptrdiff_t k = depthwise_chunk(s.columns, at), count = hg_min(s.columns, at + s.chunk) - k;
      depthwise_rows(job, &s, &down, &across, n, h, h + rows, k, count, ring);
    }
    i += rows;
  }
}

#include "depthwise_filter.h"
