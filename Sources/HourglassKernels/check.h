/* What operations ask of their arguments before they touch any memory: NULL, or the sentence that the caller gets. */
#ifndef HG_CHECK_H
#define HG_CHECK_H

#include "include/hourglass_kernels.h"

/* Answers the caller with the sentence, if there is one. */
#define HG_CHECK(sentence)                      \
  do {                                          \
    const char *const hg_sentence = (sentence); \
    if (hg_sentence) return hg_sentence;        \
  } while (0)

/* Elements of any array, and so also of scratch: byte counts of all that a call needs stay within 2^63. */
#define HG_MOST_ELEMENTS 0x1p40

/* Size of the hg_geometry2d of version 1.0, which ended before `algorithm`: what follows counts as 0. */
#define HG_GEOMETRY2D_SIZE_1_0 offsetof(hg_geometry2d, algorithm)

static inline bool hg_is_winograd(const hg_geometry2d *g) {
  return g->size != HG_GEOMETRY2D_SIZE_1_0 && g->algorithm == HG_ALGORITHM_WINOGRAD;
}

/* `arrays`: whether all that the call needs are there. */
static inline const char *hg_check_arrays(bool arrays) {
  return arrays ? NULL : "an input, output or scratch that the call needs is NULL";
}

/* Whether the derivative follows from the input alone. */
static inline bool hg_is_of_input(hg_activation activation) {
  return activation >= HG_ACTIVATION_GELU && activation <= HG_ACTIVATION_HARD_SWISH;
}

/* An activation whose derivative follows from the output. */
static inline const char *hg_check_activation(hg_activation activation) {
  const int32_t kind = activation & 0xff, slope = (int32_t)activation >> 8;
  if (hg_is_of_input(activation))
    return "the derivative of this activation is found from its input, which this call has not";
  if (kind > HG_ACTIVATION_HARD_TANH || slope < 0 || slope > 10000 || (slope && kind != HG_ACTIVATION_LEAKY_RELU))
    return "there is no such activation";
  return NULL;
}

/* An array of samples x count elements. */
static inline const char *hg_check_count(ptrdiff_t samples, ptrdiff_t count) {
  if (samples < 0 || count < 0) return "a count is negative";
  /* Doubles cannot overflow here. */
  return (double)samples * (double)count < HG_MOST_ELEMENTS ? NULL : "there are 2^40 elements or more";
}

static inline const char *hg_check_stream(const hg_random_stream *stream) {
  if (!stream) return "the stream is NULL";
  return stream->size == sizeof *stream ? NULL : "stream.size is not sizeof(hg_random_stream)";
}

#endif
