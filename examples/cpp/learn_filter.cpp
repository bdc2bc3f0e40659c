// Learns an edge filter from what it does to images, on threads of this program's own: gradient descent on
// 1/2 |convolution(x) - target|^2, whose minimum is the filter that made the target.
#include "hourglass.hpp"

#include <cmath>
#include <cstdio>
#include <random>
#include <thread>

int main() {
  hg_geometry2d geometry{};
  geometry.samples = 4, geometry.large_height = geometry.large_width = 32, geometry.large_channels = 1;
  geometry.small_height = geometry.small_width = 30, geometry.small_channels = 1;
  geometry.filter_height = geometry.filter_width = 3, geometry.stride_vertical = geometry.stride_horizontal = 1;

  // The host's own threads: each part of a call on one of them.
  auto threads = [](std::ptrdiff_t parts, auto body) {
    std::vector<std::jthread> team;
    for (std::ptrdiff_t part = 1; part < parts; part++) team.emplace_back([=] { body(part); });
    body(0);
  };
  hourglass::Convolution convolution(geometry, hourglass::Parallel(2, threads));

  std::mt19937 generator(1);
  std::normal_distribution<float> normal;
  std::vector<float> x(convolution.large_count()), target(convolution.small_count()), error(target.size());
  for (float &value : x) value = normal(generator);
  const std::vector<float> sobel{-1, 0, 1, -2, 0, 2, -1, 0, 1};
  convolution.set_filter(sobel);
  convolution.forward(x, {}, HG_ACTIVATION_LINEAR, target);

  std::vector<float> filter(9), gradient(9), bias(1);
  double loss = 0;
  for (int step = 0; step < 50; step++) {
    convolution.set_filter(filter);
    convolution.forward(x, {}, HG_ACTIVATION_LINEAR, error);
    loss = 0;
    for (std::size_t i = 0; i < error.size(); i++) error[i] -= target[i], loss += 0.5 * error[i] * error[i];
    convolution.backward_filter(x, error, gradient, bias);
    for (std::size_t i = 0; i < filter.size(); i++) filter[i] -= 0.5f / float(error.size()) * gradient[i];
  }
  for (int r = 0; r < 3; r++) std::printf("%8.4f %8.4f %8.4f\n", filter[r * 3], filter[r * 3 + 1], filter[r * 3 + 2]);
  double distance = 0;
  for (std::size_t i = 0; i < 9; i++) distance = std::fmax(distance, std::fabs(filter[i] - sobel[i]));
  std::printf("loss %.2g, at most %.2g from the filter that was sought\n", loss, distance);

  try {
    convolution.forward(std::span(x).first(10), {}, HG_ACTIVATION_LINEAR, error);
  } catch (const std::invalid_argument &refusal) {
    std::printf("refused as it should be: %s\n", refusal.what());
    return distance < 1e-3 ? 0 : 1;
  }
  return 1;
}
