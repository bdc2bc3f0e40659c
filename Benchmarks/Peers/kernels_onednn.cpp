// Times single passes in oneDNN for `bench kernels --peer onednn`, which starts it; `make .build/kernels_onednn` builds it.
//
// Each line of standard input is a problem as JSON, with the letters of `bench kernels --help` and the seconds to measure;
// each line of standard output the seconds of a call in each layout of the images, again and again. Weights have the
// layout that oneDNN likes best, and with "any" images as well: reorders are not timed, so this is its best case.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include <omp.h>

#include "dnnl.hpp"

using namespace dnnl;
using tag = memory::format_tag;
using dims = memory::dims;

static engine cpu(engine::kind::cpu, 0);
static const auto f32 = memory::data_type::f32;

static double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct problem {
  std::string operation, pass;
  long n, c, h, w, k, p, q, r, s, u, v, pad_height, pad_width;

  // A flat object whose values are words without quotes in them, and numbers.
  explicit problem(const std::string &line) {
    auto value = [&](const std::string &key) { return line.substr(line.find("\"" + key + "\":") + key.size() + 3); };
    auto word = [&](const char *key) { return value(key).substr(1, value(key).find('"', 1) - 1); };
    auto number = [&](const char *key) { return atol(value(key).c_str()); };
    operation = word("operation"), pass = word("pass");
    n = number("n"), c = number("c"), h = number("h"), w = number("w"), k = number("k"), p = number("p");
    q = number("q"), r = number("r"), s = number("s"), u = number("u"), v = number("v");
    pad_height = number("padHeight"), pad_width = number("padWidth");
  }
};

// A primitive with its arguments in memory.
struct call {
  primitive what;
  std::unordered_map<int, memory> arguments;

  call(primitive what, const std::map<int, memory::desc> &described) : what(what) {
    for (const auto &[name, desc] : described) {
      memory m(desc, cpu);
      auto *bytes = static_cast<unsigned char *>(m.get_data_handle());
      auto *floats = reinterpret_cast<float *>(bytes);
      // A workspace of pooling holds places in a window, of which 0 is always one.
      for (size_t i = 0; i < desc.get_size(); i++) bytes[i] = 0;
      if (desc.get_size() && desc.get_data_type() == f32)
        for (size_t i = 0; i < desc.get_size() / 4; i++) floats[i] = 0.05f * (float)(i % 17) - 0.4f;
      arguments[name] = m;
    }
  }

  // Seconds of a call for so many seconds; calls shorter than a millisecond are averaged over one.
  std::vector<double> measure(double seconds) {
    stream queue(cpu);
    std::vector<double> times;
    for (double start = now(); times.empty() || now() - start < seconds;) {
      double begin = now(), elapsed = 0;
      long count = 0;
      for (; elapsed < 1e-3; count++, elapsed = now() - begin) {
        what.execute(queue, arguments);
        queue.wait();
      }
      times.push_back(elapsed / (double)count);
    }
    return times;
  }
};

// Forward, data gradient and filter gradient of a kind of layer, of which oneDNN has the same three for each.
template <class forward_kind, class data_kind, class filter_kind, class... geometry>
static call layer(const problem &p, const memory::desc &x, const memory::desc &w, const memory::desc &bias,
                  const memory::desc &y, algorithm direct, const geometry &...g) {
  auto make_forward = [&] {
    if constexpr (sizeof...(g) == 0)
      return typename forward_kind::primitive_desc(cpu, prop_kind::forward_training, x, w, bias, y);
    else
      return typename forward_kind::primitive_desc(cpu, prop_kind::forward_training, direct, x, w, bias, y, g...);
  };
  auto forward = make_forward();
  if (p.pass == "forward")
    return call(forward_kind(forward), {{DNNL_ARG_SRC, forward.src_desc()},
                                        {DNNL_ARG_WEIGHTS, forward.weights_desc()},
                                        {DNNL_ARG_BIAS, bias},
                                        {DNNL_ARG_DST, forward.dst_desc()}});
  if (p.pass == "backward-data") {
    auto make = [&] {
      if constexpr (sizeof...(g) == 0)
        return typename data_kind::primitive_desc(cpu, x, w, y, forward);
      else
        return typename data_kind::primitive_desc(cpu, direct, x, w, y, g..., forward);
    };
    auto data = make();
    return call(data_kind(data), {{DNNL_ARG_DIFF_SRC, data.diff_src_desc()},
                                  {DNNL_ARG_WEIGHTS, data.weights_desc()},
                                  {DNNL_ARG_DIFF_DST, data.diff_dst_desc()}});
  }
  auto make = [&] {
    if constexpr (sizeof...(g) == 0)
      return typename filter_kind::primitive_desc(cpu, x, w, bias, y, forward);
    else
      return typename filter_kind::primitive_desc(cpu, direct, x, w, bias, y, g..., forward);
  };
  auto filter = make();
  return call(filter_kind(filter), {{DNNL_ARG_SRC, filter.src_desc()},
                                    {DNNL_ARG_DIFF_WEIGHTS, filter.diff_weights_desc()},
                                    {DNNL_ARG_DIFF_BIAS, bias},
                                    {DNNL_ARG_DIFF_DST, filter.diff_dst_desc()}});
}

static call pool(const problem &p, const memory::desc &x, const memory::desc &y, const dims &strides,
                 const dims &before, const dims &after) {
  const dims kernel{p.r, p.s}, dilation{0, 0};
  const auto max = algorithm::pooling_max;
  const pooling_forward::primitive_desc forward(cpu, prop_kind::forward_training, max, x, y, strides, kernel, dilation,
                                                before, after);
  if (p.pass == "forward")
    return call(pooling_forward(forward), {{DNNL_ARG_SRC, forward.src_desc()},
                                           {DNNL_ARG_DST, forward.dst_desc()},
                                           {DNNL_ARG_WORKSPACE, forward.workspace_desc()}});
  const pooling_backward::primitive_desc backward(cpu, max, x, y, strides, kernel, dilation, before, after, forward);
  return call(pooling_backward(backward), {{DNNL_ARG_DIFF_SRC, backward.diff_src_desc()},
                                           {DNNL_ARG_DIFF_DST, backward.diff_dst_desc()},
                                           {DNNL_ARG_WORKSPACE, forward.workspace_desc()}});
}

static call make(const problem &p, tag images) {
  const memory::desc bias({p.k}, f32, tag::a);
  if (p.operation == "dense") {
    const tag rows = images == tag::nchw ? tag::nc : images;
    const memory::desc x({p.n, p.c}, f32, rows), y({p.n, p.k}, f32, rows), w({p.k, p.c}, f32, tag::any);
    return layer<inner_product_forward, inner_product_backward_data, inner_product_backward_weights>(
        p, x, w, bias, y, algorithm::undef);
  }
  const bool transposed = p.operation == "convt";
  const long large_height = transposed ? p.p : p.h, large_width = transposed ? p.q : p.w;
  const long small_height = transposed ? p.h : p.p, small_width = transposed ? p.w : p.q;
  const dims strides{p.u, p.v}, before{p.pad_height, p.pad_width};
  const dims after{(small_height - 1) * p.u + p.r - large_height - p.pad_height,
                   (small_width - 1) * p.v + p.s - large_width - p.pad_width};
  const memory::desc y({p.n, p.k, p.p, p.q}, f32, images), w({p.k, p.c, p.r, p.s}, f32, tag::any);
  // oneDNN pools in the layout it is given, as the convolution before it left it.
  const tag pooled = images == tag::any ? tag::nChw16c : images;
  if (p.operation == "pool")
    return pool(p, memory::desc({p.n, p.c, p.h, p.w}, f32, pooled), memory::desc(y.get_dims(), f32, pooled), strides,
                before, after);
  const memory::desc x({p.n, p.c, p.h, p.w}, f32, images);
  if (transposed)
    return layer<deconvolution_forward, deconvolution_backward_data, deconvolution_backward_weights>(
        p, x, w, bias, y, algorithm::deconvolution_direct, strides, before, after);
  return layer<convolution_forward, convolution_backward_data, convolution_backward_weights>(
      p, x, w, bias, y, algorithm::convolution_direct, strides, before, after);
}

int main(int argc, char **argv) {
  omp_set_num_threads(argc > 1 ? atoi(argv[1]) : 1);
  const auto *version = dnnl_version();
  printf("{\"framework\":\"oneDNN-%d.%d.%d\"}\n", version->major, version->minor, version->patch);
  fflush(stdout);
  std::string last;
  std::map<std::string, call> calls;
  for (std::string line; std::getline(std::cin, line);) {
    const size_t at = line.find("\"seconds\":");
    const double seconds = atof(line.c_str() + at + 10);
    const std::string key = line.substr(0, at) + line.substr(line.find_first_of(",}", at));
    const problem p(line);
    std::string answer, refusal;
    if (key != last) {
      calls.clear();
      last = key;
      for (const auto &[name, images] : {std::pair{"nchw", tag::nchw}, {"nhwc", tag::nhwc}, {"any", tag::any}}) {
        if (p.operation == "dense" && images == tag::nhwc) continue;
        try {
          calls.emplace(name, make(p, images)).first->second.measure(0);
        } catch (const error &e) {
          refusal = e.message;
        }
      }
    }
    for (auto &[name, timed] : calls) {
      answer += (answer.empty() ? "\"" : ",\"") + name + "\":[";
      bool first = true;
      for (double time : timed.measure(seconds)) {
        char number[32];
        snprintf(number, sizeof number, "%s%.4e", first ? "" : ",", time);
        answer += number;
        first = false;
      }
      answer += "]";
    }
    // A layout that oneDNN refuses does not matter while another works.
    if (calls.empty()) answer = "\"error\":\"" + refusal + "\"";
    printf("{%s}\n", answer.c_str());
    fflush(stdout);
  }
}
