/* What operations ask of their arguments before they touch any memory: NULL, or the sentence that the caller gets. */
#ifndef HG_CHECK_H
#define HG_CHECK_H

#include "include/hourglass_kernels.h"

/* A sentence behind a character that is its hg_error, where hg_error_of finds it. */
#define HG_BAD_SIZE(sentence) (&"\1" sentence[1])
#define HG_IS_NULL(sentence) (&"\2" sentence[1])
#define HG_BAD_GEOMETRY(sentence) (&"\3" sentence[1])
#define HG_BAD_COUNT(sentence) (&"\4" sentence[1])
#define HG_BAD_ACTIVATION(sentence) (&"\5" sentence[1])
#define HG_BAD_VALUE(sentence) (&"\6" sentence[1])
#define HG_BAD_PARALLEL(sentence) (&"\7" sentence[1])
#define HG_BAD_ISA(sentence) (&"\10" sentence[1])

/* Answers the caller with the sentence, if there is one. */
#define HG_CHECK(sentence)                      \
  do {                                          \
    const char *const hg_sentence = (sentence); \
    if (hg_sentence) return hg_sentence;        \
  } while (0)

/* Elements of any array, and so also of scratch: byte counts of all that a call needs stay within 2^63. */
#define HG_MOST_ELEMENTS 0x1p40

static inline bool hg_is_winograd(const hg_geometry2d *g) { return g->algorithm == HG_ALGORITHM_WINOGRAD; }

/* `arrays`: whether all that the call needs are there. */
static inline const char *hg_check_arrays(bool arrays) {
  return arrays ? NULL : HG_IS_NULL("an input, output or scratch that the call needs is NULL");
}

/* Whether the derivative follows from the input alone. */
static inline bool hg_is_of_input(hg_activation activation) {
  return activation >= HG_ACTIVATION_GELU && activation <= HG_ACTIVATION_HARD_SWISH;
}

/* An activation whose derivative follows from the output. */
static inline const char *hg_check_activation(hg_activation activation) {
  const int32_t kind = activation & 0xff, slope = (int32_t)activation >> 8;
  if (hg_is_of_input(activation))
    return HG_BAD_ACTIVATION("the derivative of this activation is found from its input, which this call has not");
  if (kind > HG_ACTIVATION_HARD_TANH || slope < 0 || slope > 10000 || (slope && kind != HG_ACTIVATION_LEAKY_RELU))
    return HG_BAD_ACTIVATION("there is no such activation");
  return NULL;
}

/* An array of samples x count elements. */
static inline const char *hg_check_count(ptrdiff_t samples, ptrdiff_t count) {
  if (samples < 0 || count < 0) return HG_BAD_COUNT("a count is negative");
  /* Doubles cannot overflow here. */
  return (double)samples * (double)count < HG_MOST_ELEMENTS ? NULL : HG_BAD_COUNT("there are 2^40 elements or more");
}

static inline const char *hg_check_stream(const hg_random_stream *stream) {
  if (!stream) return HG_IS_NULL("the stream is NULL");
  return stream->size == sizeof *stream ? NULL : HG_BAD_SIZE("stream.size is not sizeof(hg_random_stream)");
}

#endif
