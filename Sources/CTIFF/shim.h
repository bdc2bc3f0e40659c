#pragma once
#include <stdarg.h>
#include <stdio.h>
#include <tiffio.h>

/* Characters of a message, the last a zero. */
enum { HG_TIFF_MESSAGE = 256 };

#if TIFFLIB_VERSION >= 20221213
/* Keeps the first error, which is the cause of those that follow it. */
static int hg_tiff_keep(TIFF *tif, void *message, const char *module, const char *format, va_list arguments) {
  (void)tif, (void)module;
  char *text = message;
  if (!text[0]) vsnprintf(text, HG_TIFF_MESSAGE, format, arguments);
  return 1;
}

static int hg_tiff_ignore(TIFF *tif, void *data, const char *module, const char *format, va_list arguments) {
  (void)tif, (void)data, (void)module, (void)format, (void)arguments;
  return 1;
}
#endif

/* Opens what `client` reads, without its first directory; libtiff prints nothing. Before version 4.5, which knows
 * handlers of a single file, no message comes either. */
static inline TIFF *hg_tiff_open(const char *name, void *client, TIFFReadWriteProc read, TIFFReadWriteProc write,
                                 TIFFSeekProc seek, TIFFCloseProc close, TIFFSizeProc size, char *message) {
  message[0] = 0;
#if TIFFLIB_VERSION >= 20221213
  TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
  if (!options) return NULL;
  TIFFOpenOptionsSetErrorHandlerExtR(options, hg_tiff_keep, message);
  TIFFOpenOptionsSetWarningHandlerExtR(options, hg_tiff_ignore, NULL);
  TIFF *tif = TIFFClientOpenExt(name, "rhm", client, read, write, seek, close, size, NULL, NULL, options);
  TIFFOpenOptionsFree(options);
  return tif;
#else
  TIFFSetErrorHandler(NULL);
  TIFFSetWarningHandler(NULL);
  return TIFFClientOpen(name, "rhm", client, read, write, seek, close, size, NULL, NULL);
#endif
}

/* The value of a tag, or what stands in its place where the directory has none. */
static inline uint16_t hg_tiff_short(TIFF *tif, uint32_t tag, uint16_t otherwise) {
  uint16_t value = 0;
  return TIFFGetFieldDefaulted(tif, tag, &value) ? value : otherwise;
}

static inline uint32_t hg_tiff_long(TIFF *tif, uint32_t tag, uint32_t otherwise) {
  uint32_t value = 0;
  return TIFFGetFieldDefaulted(tif, tag, &value) ? value : otherwise;
}

/* What samples beyond the colours are, `count` of them; NULL where there are none. */
static inline const uint16_t *hg_tiff_extra_samples(TIFF *tif, uint16_t *count) {
  uint16_t *kinds = NULL;
  *count = 0;
  return TIFFGetFieldDefaulted(tif, TIFFTAG_EXTRASAMPLES, count, &kinds) ? kinds : NULL;
}

/* Red, green and blue of the palette, 2^bits of each; 0 where there is none. */
static inline int hg_tiff_palette(TIFF *tif, uint16_t **red, uint16_t **green, uint16_t **blue) {
  return TIFFGetField(tif, TIFFTAG_COLORMAP, red, green, blue);
}

/* Lets the JPEG codec put out RGB. */
static inline void hg_tiff_decode_to_rgb(TIFF *tif) { TIFFSetField(tif, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB); }
