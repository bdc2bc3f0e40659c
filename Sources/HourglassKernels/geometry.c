/* What the convolution calls ask of a geometry, and what it means. */
#include "check.h"
#include "jobs.h"

static double most_of(double a, double b) { return a > b ? a : b; }

static const char *check_dilation_and_groups(const hg_geometry2d *g) {
  if (g->dilation_vertical < 0 || g->dilation_horizontal < 0) return HG_BAD_GEOMETRY("the dilation is negative");
  if (hg_max(g->dilation_vertical, g->dilation_horizontal) > (ptrdiff_t)1 << 31)
    return HG_BAD_GEOMETRY("the dilation exceeds 2^31");
  if (g->groups < 0) return HG_BAD_GEOMETRY("the number of groups is negative");
  if (g->groups == 0) return NULL;
  if (g->large_channels % g->groups) return HG_BAD_GEOMETRY("the groups do not divide the channels of the large image");
  return g->small_channels % g->groups ? HG_BAD_GEOMETRY("the groups do not divide the channels of the small image")
                                       : NULL;
}

/* Why an image cannot lie so; `high` and `wide` are its extents with what is counted around it. The sentences:
 * negative, pixels, rows and samples that overlap, too far apart. */
static const char *check_strides(const hg_image *i, double high, double wide, const char *const sentences[5]) {
  if (!(i->strides.pixel | i->strides.row | i->strides.sample)) return NULL; /* its count has been checked */
  if (i->strides.pixel < 0 || i->strides.row < 0 || i->strides.sample < 0) return sentences[0];
  /* Doubles cannot overflow, and are exact below 2^53. */
  const double N = i->samples > 0 ? (double)i->samples : 1, H = (double)i->height, W = (double)i->width;
  const double channels = (double)i->channels, pixel = i->strides.pixel ? (double)i->strides.pixel : channels;
  const double row = i->strides.row ? (double)i->strides.row : W * pixel;
  const double sample = i->strides.sample ? (double)i->strides.sample : H * row;
  if (pixel < channels) return sentences[1];
  if (row < (W - 1) * pixel + channels) return sentences[2];
  if (sample < (H - 1) * row + (W - 1) * pixel + channels) return sentences[3];
  return most_of(N * sample, most_of(high * row, wide * pixel)) >= HG_MOST_ELEMENTS ? sentences[4] : NULL;
}

static const char *check_both_strides(const hg_geometry2d *g, double high, double wide) {
  static const char *const sentences[2][5] = {
      {HG_BAD_GEOMETRY("a stride of the large image in memory is negative"),
       HG_BAD_GEOMETRY("the pixels of the large image overlap"), HG_BAD_GEOMETRY("the rows of the large image overlap"),
       HG_BAD_GEOMETRY("the samples of the large image overlap"),
       HG_BAD_GEOMETRY("the large images span 2^40 elements or more")},
      {HG_BAD_GEOMETRY("a stride of the small image in memory is negative"),
       HG_BAD_GEOMETRY("the pixels of the small image overlap"), HG_BAD_GEOMETRY("the rows of the small image overlap"),
       HG_BAD_GEOMETRY("the samples of the small image overlap"),
       HG_BAD_GEOMETRY("the small images span 2^40 elements or more")},
  };
  const hg_image large = hg_large_image(g), small = hg_small_image(g);
  HG_CHECK(check_strides(&large, high, wide, sentences[0]));
  return check_strides(&small, (double)g->small_height, (double)g->small_width, sentences[1]);
}

const char *hg_conv2d_check(const hg_geometry2d *g) {
  if (!g) return HG_IS_NULL("the geometry is NULL");
  if (g->size != sizeof *g) return HG_BAD_SIZE("geometry.size is not sizeof(hg_geometry2d)");
  if (g->samples < 0) return HG_BAD_GEOMETRY("the number of samples is negative");
  if ((double)g->samples >= HG_MOST_ELEMENTS) return HG_BAD_GEOMETRY("there are 2^40 samples or more");
  const ptrdiff_t extents[] = {
      g->large_height,   g->large_width,   g->large_channels, g->small_height,    g->small_width,
      g->small_channels, g->filter_height, g->filter_width,   g->stride_vertical, g->stride_horizontal,
  };
  static const char *const sentences[][2] = {
      {HG_BAD_GEOMETRY("the height of the large image is below 1"),
       HG_BAD_GEOMETRY("the height of the large image exceeds 2^31")},
      {HG_BAD_GEOMETRY("the width of the large image is below 1"),
       HG_BAD_GEOMETRY("the width of the large image exceeds 2^31")},
      {HG_BAD_GEOMETRY("the large image has no channels"),
       HG_BAD_GEOMETRY("the channels of the large image exceed 2^31")},
      {HG_BAD_GEOMETRY("the height of the small image is below 1"),
       HG_BAD_GEOMETRY("the height of the small image exceeds 2^31")},
      {HG_BAD_GEOMETRY("the width of the small image is below 1"),
       HG_BAD_GEOMETRY("the width of the small image exceeds 2^31")},
      {HG_BAD_GEOMETRY("the small image has no channels"),
       HG_BAD_GEOMETRY("the channels of the small image exceed 2^31")},
      {HG_BAD_GEOMETRY("the height of the filter is below 1"),
       HG_BAD_GEOMETRY("the height of the filter exceeds 2^31")},
      {HG_BAD_GEOMETRY("the width of the filter is below 1"), HG_BAD_GEOMETRY("the width of the filter exceeds 2^31")},
      {HG_BAD_GEOMETRY("the vertical stride is below 1"), HG_BAD_GEOMETRY("the vertical stride exceeds 2^31")},
      {HG_BAD_GEOMETRY("the horizontal stride is below 1"), HG_BAD_GEOMETRY("the horizontal stride exceeds 2^31")},
  };
  for (size_t i = 0; i < sizeof extents / sizeof extents[0]; i++) {
    if (extents[i] < 1) return sentences[i][0];
    if (extents[i] > (ptrdiff_t)1 << 31) return sentences[i][1];
  }
  if (g->pad_top < 0 || g->pad_left < 0) return HG_BAD_GEOMETRY("the padding is negative");
  HG_CHECK(check_dilation_and_groups(g));
  if (g->pad_top > (ptrdiff_t)1 << 31 || g->pad_left > (ptrdiff_t)1 << 31)
    return HG_BAD_GEOMETRY("the padding exceeds 2^31");
  /* Products in double: they cannot overflow, and being too large by a rounding error does no harm. */
  const double high = (double)(g->filter_height - 1) * (double)hg_max(1, g->dilation_vertical) + 1;
  const double wide = (double)(g->filter_width - 1) * (double)hg_max(1, g->dilation_horizontal) + 1;
  const double around_high = (double)g->large_height + most_of((double)g->pad_top, high) + high;
  const double around_wide = (double)g->large_width + most_of((double)g->pad_left, wide) + wide;
  const double N = g->samples > 0 ? (double)g->samples : 1, C = (double)g->large_channels,
               K = (double)g->small_channels, G = (double)hg_max(1, g->groups);
  const double taps = (double)g->filter_height * (double)g->filter_width;
  const double positions = (double)g->small_height * (double)g->small_width;
  if (N * (double)g->large_height * (double)g->large_width * C >= HG_MOST_ELEMENTS)
    return HG_BAD_GEOMETRY("the large images have 2^40 elements or more");
  if (N * positions * K >= HG_MOST_ELEMENTS) return HG_BAD_GEOMETRY("the small images have 2^40 elements or more");
  if (taps * (C + 15 * G) * (K + 15 * G) >= HG_MOST_ELEMENTS * G)
    return HG_BAD_GEOMETRY("the filter has 2^40 elements or more");
  if (around_high * around_wide * C >= HG_MOST_ELEMENTS)
    return HG_BAD_GEOMETRY("the large image with its padding has 2^40 elements or more");
  if (g->large_sample_stride | g->large_row_stride | g->large_pixel_stride | g->small_sample_stride |
      g->small_row_stride | g->small_pixel_stride)
    HG_CHECK(check_both_strides(g, around_high, around_wide));
  const hg_geometry2d whole = hg_whole_geometry(g); /* whose strides in memory cannot overflow any more */
  /* A filter is at most widened to a stride or the image, whichever is less. */
  if (hg_in_strips(&whole)) {
    const double line = wide + (double)hg_min(g->stride_horizontal, g->large_width + g->pad_left);
    const double products = (double)g->filter_height * line * C + 15, rows = (double)g->small_height + 4;
    if (rows * ((double)g->small_width + 2 * line) * products >= HG_MOST_ELEMENTS)
      return HG_BAD_GEOMETRY("the products of the small image with all taps are 2^40 or more");
    if (products * (K + 15) >= HG_MOST_ELEMENTS) return HG_BAD_GEOMETRY("the filter has 2^40 elements or more");
  }
  if (hg_is_depthwise(&whole) &&
      ((double)g->large_height * (double)g->large_width * C / G * (K + 15) >= HG_MOST_ELEMENTS ||
       positions * K / G * (C + 15) >= HG_MOST_ELEMENTS))
    return HG_BAD_GEOMETRY("the image spread over the channels of its groups has 2^40 elements or more");
  if ((unsigned)g->algorithm > HG_ALGORITHM_WINOGRAD) return HG_BAD_GEOMETRY("there is no such algorithm");
  if (g->precision != 0) return HG_BAD_GEOMETRY("there is no such precision: it must be 0, for float");
  return hg_is_winograd(g) ? hg_winograd_refusal(g) : NULL;
}
