// The kernels of a convolution as C++20: spans instead of pointers, memory that frees itself, refusals as exceptions.
#pragma once
#include <hourglass_kernels.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace hourglass {

/// Threads of OpenMP, or a function that runs body(part) for each part in [0, parts) on threads of the host.
class Parallel {
 public:
  explicit Parallel(std::ptrdiff_t threads = 1) : value_{sizeof(hg_parallel), threads, nullptr, nullptr} {}

  template <class For>
  Parallel(std::ptrdiff_t threads, For &parallel_for)
      : value_{sizeof(hg_parallel), threads,
               [](void *context, std::ptrdiff_t parts, void (*body)(void *, std::ptrdiff_t), void *argument) {
                 (*static_cast<For *>(context))(parts, [=](std::ptrdiff_t part) { body(argument, part); });
               },
               &parallel_for} {}

  const hg_parallel *get() const { return &value_; }

 private:
  hg_parallel value_;
};

inline void check(const char *refusal) {
  if (refusal) throw std::invalid_argument(refusal);
}

/// A convolution from a large image to a small one. Its weights are prepared once and used by both directions; all
/// memory is taken when it is made, so that the calls allocate nothing.
class Convolution {
 public:
  Convolution(hg_geometry2d geometry, Parallel parallel) : g_(geometry), parallel_(parallel) {
    g_.size = sizeof g_;
    check(hg_conv2d_check(&g_));
    check(hg_parallel_check(parallel_.get()));
    gather_.resize(size(hg_conv2d_prepared_gather_count(&g_)));
    scatter_.resize(size(hg_conv2d_prepared_scatter_count(&g_)));
    scratch_.resize(size(std::max({hg_conv2d_forward_scratch(&g_, parallel_.get()),
                                   hg_conv2d_backward_data_scratch(&g_, parallel_.get()),
                                   hg_conv2d_backward_filter_scratch(&g_, parallel_.get())})));
  }

  /// Floats of an image, with those between where its strides in memory leave any.
  std::size_t large_count() const {
    return span(g_.large_height, g_.large_width, g_.large_channels, g_.large_sample_stride, g_.large_row_stride,
                g_.large_pixel_stride);
  }
  std::size_t small_count() const {
    return span(g_.small_height, g_.small_width, g_.small_channels, g_.small_sample_stride, g_.small_row_stride,
                g_.small_pixel_stride);
  }
  std::size_t filter_count() const {
    return size(g_.filter_height * g_.filter_width * (g_.large_channels / std::max<std::ptrdiff_t>(1, g_.groups)) *
                g_.small_channels);
  }

  /// filter: R S C/G K.
  void set_filter(std::span<const float> filter) {
    need(filter, filter_count(), "filter");
    check(hg_conv2d_prepare_gather(&g_, filter.data(), gather_.data(), parallel_.get()));
    check(hg_conv2d_prepare_scatter(&g_, filter.data(), scatter_.data(), parallel_.get()));
  }

  /// y (N P Q K) = activation(bias + convolution of x (N H W C)); an empty bias is none.
  void forward(std::span<const float> x, std::span<const float> bias, hg_activation activation, std::span<float> y) {
    need(x, large_count(), "x"), need(y, small_count(), "y");
    if (!bias.empty()) need(bias, size(g_.small_channels), "bias");
    check(hg_conv2d_forward(&g_, x.data(), gather_.data(), bias.empty() ? nullptr : bias.data(), activation, y.data(),
                            scratch_.data(), parallel_.get()));
  }

  /// dx (N H W C) from dy (N P Q K).
  void backward_data(std::span<const float> dy, std::span<float> dx) {
    need(dy, small_count(), "dy"), need(dx, large_count(), "dx");
    check(hg_conv2d_backward_data(&g_, dy.data(), scatter_.data(), HG_ACTIVATION_LINEAR, nullptr, dx.data(),
                                  scratch_.data(), parallel_.get()));
  }

  /// dfilter (R S C K) and dbias (K) from x and dy.
  void backward_filter(std::span<const float> x, std::span<const float> dy, std::span<float> dfilter,
                       std::span<float> dbias) {
    need(x, large_count(), "x"), need(dy, small_count(), "dy");
    need(dfilter, filter_count(), "dfilter"), need(dbias, size(g_.small_channels), "dbias");
    check(hg_conv2d_backward_filter(&g_, x.data(), dy.data(), false, dfilter.data(), dbias.data(), scratch_.data(),
                                    parallel_.get()));
  }

 private:
  static std::size_t size(std::ptrdiff_t count) { return static_cast<std::size_t>(count); }

  std::size_t span(std::ptrdiff_t height, std::ptrdiff_t width, std::ptrdiff_t channels, std::ptrdiff_t sample,
                   std::ptrdiff_t row, std::ptrdiff_t pixel) const {
    if (pixel == 0) pixel = channels;
    if (row == 0) row = width * pixel;
    if (sample == 0) sample = height * row;
    if (g_.samples == 0) return 0;
    return size((g_.samples - 1) * sample + (height - 1) * row + (width - 1) * pixel + channels);
  }

  static void need(std::span<const float> span, std::size_t count, const char *name) {
    if (span.size() != count)
      throw std::invalid_argument(std::string(name) + " has " + std::to_string(span.size()) + " elements instead of " +
                                  std::to_string(count));
  }

  hg_geometry2d g_;
  Parallel parallel_;
  std::vector<hg_gather_filter> gather_;
  std::vector<hg_scatter_filter> scatter_;
  std::vector<float> scratch_;
};

}  // namespace hourglass
