/* The tile: the one inner loop of convolutions and dense layers.
 *
 *   out[offset[i] + j] = end(start + sum over l of row[i][a(l)] * b[b(l) + j])     i < rows, j < columns
 *
 * Rows are pointers with a common depth index, so that they may lie anywhere: positions of an image, channels of a tap,
 * samples. Columns come in groups of 16; the b operand is readable in whole groups, the output may end within the last.
 * All rows * groups * 16 sums stay in registers. A sum is one chain of fused multiply-adds in the order of l, and
 * `accumulate` goes on with the chain, so that blocking never changes bits. */

/* Three nested loops: n3 times, n2 times, n1 times a step of a1 along the rows and of ldb along b. The starts of the
 * two outer loops lie a3 and a2 apart along the rows; b advances by b2 and b3 more after each of their turns. The whole
 * repeats `turns` times, the rows moving on by row_turn and the outputs by out_turn: tiles that lie evenly apart. */
typedef struct tile_depth {
  ptrdiff_t n3, a3, b3, n2, a2, b2, n1, a1, ldb;
  ptrdiff_t turns, row_turn, out_turn;
} tile_depth;

/* The largest tiles: rows * groups sums, the b operands of one step and one broadcast fit the registers. With AVX-512
 * 14, 10 and 9 rows of 1, 2 and 3 groups would fit as well, but on Zen 4 end later by 30 cycles, whatever their depth;
 * 9 rows of 2 too where the compiler keeps frame pointers. */
#if HG_TILE_GROUPS == 4
enum { TILE_ROWS = 12 };
static const int tile_rows[HG_TILE_GROUPS + 1] = {0, 12, 8, 8, 6};
#elif HG_TILE_GROUPS == 2
enum { TILE_ROWS = 6 };
static const int tile_rows[HG_TILE_GROUPS + 1] = {0, 6, 3};
#else
enum { TILE_ROWS = HG_TILE_ROWS };
static const int tile_rows[HG_TILE_GROUPS + 1] = {0, HG_TILE_ROWS};
#endif
enum { TILE_VECS = HG_TILE_GROUPS * 16 / HG_LANES, TILE_PANEL = HG_TILE_GROUPS * 16 };

/* The sums of a tile whose last group is not whole pass through `sums`, rows x width, before and after the loop. */
static __attribute__((noinline)) void tile_edge_start(const hg_output *o, const float *out, const ptrdiff_t *offset,
                                                      int rows, int width, ptrdiff_t columns, float *sums) {
  for (ptrdiff_t j = 0; j < width; j += 16) {
    const ptrdiff_t n = hg_max(0, hg_min(16, columns - j));
    v16 first = o->bias ? v16_load_part(o->bias + j, n) + v16_splat(0) : v16_splat(0);
    for (int i = 0; i < rows; i++) {
      if (o->accumulate) first = v16_load_part(out + offset[i] + j, n);
      v16_store(sums + i * width + j, first);
    }
  }
}
static __attribute__((noinline)) void tile_edge_end(const hg_output *o, float *out, const float *gate,
                                                    const ptrdiff_t *offset, int rows, int width, ptrdiff_t columns,
                                                    const float *sums) {
  for (int i = 0; i < rows; i++)
    for (ptrdiff_t j = 0; j < columns; j += 16) {
      const ptrdiff_t n = hg_min(16, columns - j);
      v16 v = v16_load(sums + i * width + j);
      if (gate) v = v16_select(v16_load_part(gate + offset[i] + j, n) > v16_splat(0), v, v16_splat(0));
      if (o->relu) v = v16_relu(v);
      v16_store_part(out + offset[i] + j, v, n);
    }
}

/* rows, groups and unit (whether a1 is 1) are constants where this is inlined. */
INLINE void tile_body(const int rows, const int groups, const bool unit, const float *const *row, const tile_depth *d,
                      const float *start, const hg_output *o, const ptrdiff_t *offset, ptrdiff_t columns) {
  const int vecs = groups * 16 / HG_LANES, width = groups * 16;
  const ptrdiff_t a1 = unit ? 1 : d->a1, ldb = d->ldb, n1 = d->n1, n2 = d->n2;
  const float *const bias = o->bias, *gate = o->gate;
  float *out = o->out;
  float edge[TILE_ROWS * 16 * HG_TILE_GROUPS];
  vec sum[TILE_ROWS][TILE_VECS];
  const float *r[TILE_ROWS];

  UNROLL for (int i = 0; i < rows; i++) r[i] = row[i];
  for (ptrdiff_t turn = d->turns; turn > 0; turn--) {
    if (columns < width) {
      tile_edge_start(o, out, offset, rows, width, columns, edge);
      UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < vecs; j++) sum[i][j] =
          vec_load(edge + i * width + j * HG_LANES);
    } else if (o->accumulate) {
      UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < vecs; j++) sum[i][j] =
          vec_load(out + offset[i] + j * HG_LANES);
    } else if (bias) {
      UNROLL for (int j = 0; j < vecs; j++) {
        const vec first = vec_load(bias + j * HG_LANES) + vec_splat(0); /* no denormals, no -0 */
        UNROLL for (int i = 0; i < rows; i++) sum[i][j] = first;
      }
    } else {
      UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < vecs; j++) sum[i][j] = vec_splat(0);
    }

    const float *b = start;
    for (ptrdiff_t outer = 0; outer < d->n3; outer++, b += d->b3)
      for (ptrdiff_t middle = 0; middle < n2; middle++, b += d->b2) {
        const ptrdiff_t first = outer * d->a3 + middle * d->a2, end = first + n1 * a1;
        for (ptrdiff_t l = first; l < end; l += a1, b += ldb) {
          if (rows < vecs) { /* the side of fewer registers is loaded whole, or they would not suffice */
            vec x[TILE_ROWS];
            UNROLL for (int i = 0; i < rows; i++) x[i] = vec_splat(r[i][l]);
            UNROLL for (int j = 0; j < vecs; j++) {
              const vec column = vec_load(b + j * HG_LANES);
              UNROLL for (int i = 0; i < rows; i++) sum[i][j] += x[i] * column;
            }
          } else {
            vec column[TILE_VECS];
            UNROLL for (int j = 0; j < vecs; j++) column[j] = vec_load(b + j * HG_LANES);
            UNROLL for (int i = 0; i < rows; i++) {
              const vec x = vec_splat(r[i][l]);
              UNROLL for (int j = 0; j < vecs; j++) sum[i][j] += x * column[j];
            }
          }
        }
      }

    /* The sum that is done last is stored first: the multiply-adds of the next tile then wait less (Zen 4). */
    if (columns < width) {
      UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < vecs; j++)
          vec_store(edge + i * width + j * HG_LANES, sum[i][j]);
      tile_edge_end(o, out, gate, offset, rows, width, columns, edge);
    } else if (gate) {
      UNROLL for (int i = rows - 1; i >= 0; i--) UNROLL for (int j = vecs - 1; j >= 0; j--)
          vec_store(out + offset[i] + j * HG_LANES, vec_gate(vec_load(gate + offset[i] + j * HG_LANES), sum[i][j]));
    } else if (o->relu) {
      UNROLL for (int i = rows - 1; i >= 0; i--) UNROLL for (int j = vecs - 1; j >= 0; j--)
          vec_store(out + offset[i] + j * HG_LANES, vec_relu(sum[i][j]));
    } else {
      UNROLL for (int i = rows - 1; i >= 0; i--) UNROLL for (int j = vecs - 1; j >= 0; j--)
          vec_store(out + offset[i] + j * HG_LANES, sum[i][j]);
    }
    UNROLL for (int i = 0; i < rows; i++) r[i] += d->row_turn;
    out += d->out_turn;
    if (gate) gate += d->out_turn;
  }
}

#define TILE_PARAMETERS                                                                                      \
  const float *const *row, const tile_depth *d, const float *b, const hg_output *o, const ptrdiff_t *offset, \
      ptrdiff_t columns
typedef void (*tile_function)(TILE_PARAMETERS);

/* The tile sizes there are: X(rows, groups). */
#define TILE_3(X, groups) X(1, groups) X(2, groups) X(3, groups)
#define TILE_6(X, groups) TILE_3(X, groups) X(4, groups) X(5, groups) X(6, groups)
#define TILE_8(X, groups) TILE_6(X, groups) X(7, groups) X(8, groups)
#define TILE_12(X, groups) TILE_8(X, groups) X(9, groups) X(10, groups) X(11, groups) X(12, groups)
#if HG_TILE_GROUPS == 4
#define TILE_SIZES(X) TILE_12(X, 1) TILE_8(X, 2) TILE_8(X, 3) TILE_6(X, 4)
#elif HG_TILE_GROUPS == 2
#define TILE_SIZES(X) TILE_6(X, 1) TILE_3(X, 2)
#elif HG_TILE_ROWS == 6
#define TILE_SIZES(X) TILE_6(X, 1)
#else
#define TILE_SIZES(X) TILE_3(X, 1)
#endif

/* This tuning of gcc keeps no pointers in vector registers, where they would queue behind multiply-adds. */
#if HG_TILE_GROUPS == 4 && !defined __clang__
#define TILE_FUNCTION static __attribute__((noinline, target("tune=bdver4"))) void
#else
#define TILE_FUNCTION static __attribute__((noinline)) void
#endif
#define TILE_DEFINE(rows, groups)                                  \
  TILE_FUNCTION tile_unit_##rows##x##groups(TILE_PARAMETERS) {     \
    tile_body(rows, groups, true, row, d, b, o, offset, columns);  \
  }                                                                \
  TILE_FUNCTION tile_step_##rows##x##groups(TILE_PARAMETERS) {     \
    tile_body(rows, groups, false, row, d, b, o, offset, columns); \
  }
TILE_SIZES(TILE_DEFINE)

#define TILE_UNIT(rows, groups) [groups][rows] = tile_unit_##rows##x##groups,
#define TILE_STEP(rows, groups) [groups][rows] = tile_step_##rows##x##groups,
static const tile_function tiles_unit[HG_TILE_GROUPS + 1][TILE_ROWS + 1] = {TILE_SIZES(TILE_UNIT)};
static const tile_function tiles_step[HG_TILE_GROUPS + 1][TILE_ROWS + 1] = {TILE_SIZES(TILE_STEP)};

/* Runs one tile of any size there is. */
INLINE void tile_run(ptrdiff_t rows, ptrdiff_t groups, TILE_PARAMETERS) {
  (d->a1 == 1 ? tiles_unit : tiles_step)[groups][rows](row, d, b, o, offset, columns);
}

/* Groups of the tile that starts when `remaining` columns are left. */
INLINE ptrdiff_t tile_groups(ptrdiff_t remaining) { return hg_min(HG_TILE_GROUPS, (remaining + 15) / 16); }

/* The output moved by so many floats, and by so many columns. */
INLINE hg_output output_at(hg_output o, ptrdiff_t place) {
  o.out += place;
  if (o.gate) o.gate += place;
  return o;
}
INLINE hg_output output_column(hg_output o, ptrdiff_t column) {
  if (o.bias) o.bias += column;
  return output_at(o, column);
}

/* Whether `rows` rows that lie `stride` floats apart push one another out of a first-level cache of 64 sets of 8 lines,
 * because a stride of 2^k lines meets 64 / 2^k sets. Tiles that stream bear twice as many. */
INLINE bool tile_crowded(ptrdiff_t rows, ptrdiff_t stride) {
  const ptrdiff_t lines = stride / 16, power = hg_min(64, lines & -lines);
  return stride % 16 == 0 && rows * power > (HG_STREAMS ? 2 : 1) * 64 * 8;
}

/* to = `rows` rows of `count` floats, `stride` apart, side by side as rows of `width` floats, zeros beyond. */
INLINE void tile_copy(const float *from, ptrdiff_t rows, ptrdiff_t stride, ptrdiff_t count, float *to,
                      ptrdiff_t width) {
  for (ptrdiff_t i = 0; i < rows; i++)
    for (ptrdiff_t j = 0; j < width; j += 16)
      v16_store(to + i * width + j, v16_load_part(from + i * stride + j, hg_max(0, hg_min(16, count - j))));
}

/* Rows split evenly over as few tiles as can hold them: tile t has `rows` of them, one more when t < extra. */
typedef struct tiling {
  ptrdiff_t tiles, rows, extra;
} tiling;

INLINE tiling tiling_of(ptrdiff_t rows, ptrdiff_t groups) {
  const ptrdiff_t tiles = hg_ceil_div(rows, tile_rows[groups]);
  return tiles ? (tiling){tiles, rows / tiles, rows % tiles} : (tiling){0, 0, 0};
}
INLINE ptrdiff_t tiling_first(tiling t, ptrdiff_t tile) { return tile * t.rows + hg_min(tile, t.extra); }
