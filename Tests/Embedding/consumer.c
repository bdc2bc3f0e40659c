/* What a stranger's first program looks like: valid C11 and C++, one convolution, compared with its definition. */
#include <hourglass_reference.h>
#include <stdio.h>
#include <string.h>

enum { N = 2, SIDE = 8, C = 3, K = 20, R = 3, MOST = 4096 };

int main(int count, char **arguments) {
  char version[32];
  hg_geometry2d g;
  hg_parallel two;
  static float x[N * SIDE * SIDE * C], filter[R * R * C * K], y[N * SIDE * SIDE * K], exact[sizeof y / 4];
  static hg_gather_filter prepared[MOST];
#ifdef WRONG /* what must not compile: a filter of another kind in its place */
  static WRONG wrong[MOST];
  hg_conv2d_forward(&g, x, wrong, NULL, HG_ACTIVATION_RELU, y, NULL, NULL);
#endif
  ptrdiff_t i;

  snprintf(version, sizeof version, "%d.%d.%d", HG_VERSION_MAJOR, HG_VERSION_MINOR, HG_VERSION_PATCH);
  if (strcmp(version, hg_version()) != 0) return printf("the header is %s, the library %s\n", version, hg_version());
  if (count > 1 && hg_has_openmp() != (strcmp(arguments[1], "openmp") == 0)) return puts("OpenMP is not as asked");

  memset(&g, 0, sizeof g);
  g.size = sizeof g;
  if (hg_error_of(hg_conv2d_check(&g)) != HG_ERROR_GEOMETRY) return puts("an empty geometry is accepted");
  g.samples = N, g.large_height = g.large_width = g.small_height = g.small_width = SIDE;
  g.large_channels = C, g.small_channels = K, g.filter_height = g.filter_width = R;
  g.stride_vertical = g.stride_horizontal = g.pad_top = g.pad_left = 1;
  if (hg_conv2d_check(&g)) return puts(hg_conv2d_check(&g));
  memset(&two, 0, sizeof two);
  two.size = sizeof two, two.threads = 2;

  /* Small integers, so that every order of summation gives the same number. */
  for (i = 0; i < (ptrdiff_t)(sizeof x / sizeof *x); i++) x[i] = (float)(i * 7 % 11 - 5);
  for (i = 0; i < (ptrdiff_t)(sizeof filter / sizeof *filter); i++) filter[i] = (float)(i * 5 % 13 - 6);
  if (hg_conv2d_prepared_gather_count(&g) > MOST) return puts("the prepared filter is larger than expected");
  if (hg_conv2d_forward_scratch(&g, &two) != 0) return puts("a forward pass wants scratch");
  hg_conv2d_prepare_gather(&g, filter, prepared, NULL);
  hg_conv2d_forward(&g, x, prepared, NULL, HG_ACTIVATION_RELU, y, NULL, &two);
  hg_reference_conv2d_forward(&g, x, filter, NULL, HG_ACTIVATION_RELU, exact);
  if (memcmp(y, exact, sizeof y) != 0) return puts("the convolution differs from its definition");
  return 0;
}
