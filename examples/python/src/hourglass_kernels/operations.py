"""Every operation of the C library under its own name and with its own arguments, NumPy arrays in the place of pointers.

An annotation such as "out float32[N, P, Q, K] or None, may be x" says what an array must be: its elements, its axes (an array
with another number of axes needs as many elements), whether it is written, may be None, may be another argument. Letters are
those of the struct. Images of a Geometry2D may be views of larger arrays, as y[..., :K] or x[:, 1:-1, 1:-1]; other arrays must
be contiguous. Scratch that is not given is allocated. What an operation cannot take raises ValueError or TypeError.

examples/bindings/write wrote this file from hourglass_kernels.h and arrays.txt.
"""
from ctypes import c_bool, c_float, c_int, c_int32, c_size_t, c_ssize_t, c_uint32, c_uint64

import numpy as np

from .library import Resampling2D, Struct, one_or, operation, product

gather_filter = np.dtype([("gather_filter", np.float32)], align=True)
scatter_filter = np.dtype([("scatter_filter", np.float32)], align=True)


class Geometry2D(Struct):
    _fields_ = [("size", c_size_t), ("samples", c_ssize_t), ("large_height", c_ssize_t), ("large_width", c_ssize_t),
                ("large_channels", c_ssize_t), ("small_height", c_ssize_t), ("small_width", c_ssize_t),
                ("small_channels", c_ssize_t), ("filter_height", c_ssize_t), ("filter_width", c_ssize_t),
                ("stride_vertical", c_ssize_t), ("stride_horizontal", c_ssize_t), ("pad_top", c_ssize_t),
                ("pad_left", c_ssize_t), ("algorithm", c_int), ("precision", c_int32),
                ("dilation_vertical", c_ssize_t), ("dilation_horizontal", c_ssize_t), ("groups", c_ssize_t),
                ("large_sample_stride", c_ssize_t), ("large_row_stride", c_ssize_t), ("large_pixel_stride", c_ssize_t),
                ("small_sample_stride", c_ssize_t), ("small_row_stride", c_ssize_t), ("small_pixel_stride", c_ssize_t)]
    images = {"N, H, W, C": "large", "N, P, Q, K": "small"}

    def letters(self):
        return {"N": self.samples, "H": self.large_height, "W": self.large_width, "C": self.large_channels,
                "P": self.small_height, "Q": self.small_width, "K": self.small_channels, "R": self.filter_height,
                "S": self.filter_width, "G": one_or(self.groups)}


class Permutation(Struct):
    _fields_ = [("size", c_size_t), ("samples", c_ssize_t), ("rank", c_ssize_t), ("extents", c_ssize_t * 6),
                ("strides", c_ssize_t * 6)]

    def letters(self):
        return {"N": self.samples, "E": product(self.extents, self.rank)}


class GroupNorm(Struct):
    _fields_ = [("size", c_size_t), ("samples", c_ssize_t), ("positions", c_ssize_t), ("channels", c_ssize_t),
                ("groups", c_ssize_t), ("epsilon", c_float), ("activation", c_ssize_t)]

    def letters(self):
        return {"N": self.samples, "P": self.positions, "C": self.channels, "G": self.groups}


class Dense(Struct):
    _fields_ = [("size", c_size_t), ("samples", c_ssize_t), ("inputs", c_ssize_t), ("outputs", c_ssize_t)]

    def letters(self):
        return {"N": self.samples, "I": self.inputs, "O": self.outputs}


class RandomStream(Struct):
    _fields_ = [("size", c_size_t), ("seed", c_uint64), ("stream", c_uint32), ("step", c_uint32), ("sample", c_uint32)]


class AdamOptions(Struct):
    _fields_ = [("size", c_size_t), ("gradient_scale", c_float), ("learning_rate", c_float), ("beta1", c_float),
                ("beta2", c_float), ("epsilon", c_float), ("weight_decay", c_float), ("correction1", c_float),
                ("correction2", c_float)]


class SgdOptions(Struct):
    _fields_ = [("size", c_size_t), ("gradient_scale", c_float), ("learning_rate", c_float), ("momentum", c_float),
                ("weight_decay", c_float), ("nesterov", c_bool)]


class RmspropOptions(Struct):
    _fields_ = [("size", c_size_t), ("gradient_scale", c_float), ("learning_rate", c_float), ("alpha", c_float),
                ("epsilon", c_float), ("momentum", c_float)]


class AdagradOptions(Struct):
    _fields_ = [("size", c_size_t), ("gradient_scale", c_float), ("learning_rate", c_float), ("epsilon", c_float)]


class AdadeltaOptions(Struct):
    _fields_ = [("size", c_size_t), ("gradient_scale", c_float), ("learning_rate", c_float), ("rho", c_float),
                ("epsilon", c_float)]


@operation()
def activation_forward(activation: "activation", count: int, x: "float32[count]", y: "out float32[count], may be x",
                       threads: "int" = None):
    """y[i] = a(x[i]) for i in [0, count). y may be x."""


@operation()
def activation_backward(activation: "activation", count: int, y: "float32[count]", dy: "float32[count]",
                        dx: "out float32[count], may be dy", threads: "int" = None):
    """dx[i] = dy[i] * a'(s[i]) with y the activation's output a(s). dx may be dy."""


@operation()
def activation_backward_input(activation: "activation", count: int, x: "float32[count]", dy: "float32[count]",
                              dx: "out float32[count], may be dy", threads: "int" = None):
    """dx[i] = dy[i] a'(x[i]) with x the activation's input, for the activations from HG_ACTIVATION_GELU on. dx may be dy.
      GELU        F(x) + x f(x), f the density (Hendrycks & Gimpel, arXiv:1606.08415)
      SiLU        S(x) (1 + x (1 - S(x))), S the sigmoid (Elfwing et al., Neural Networks 2018)
      Mish        t + x (1 - t^2) S(x), t = tanh(ln(1 + exp(x))) (Misra, BMVC 2020)
      hard swish  x / 3 + 1 / 2 where |x| < 3, else 1 above and 0 below (Howard et al., ICCV 2019)"""


@operation()
def prelu_forward(positions: int, channels: int, x: "float32[positions, channels]", slope: "float32[channels]",
                  y: "out float32[positions, channels], may be x", threads: "int" = None):
    """Parametric ReLU with a slope for each of C channels (He et al., ICCV 2015), of M positions:
      y[m,c] = x[m,c] > 0 ? x[m,c] : slope[c] x[m,c]
    x, y: M C; slope: C. y may be x."""


@operation()
def prelu_backward(positions: int, channels: int, x: "float32[positions, channels]",
                   dy: "float32[positions, channels]", slope: "float32[channels]", accumulate: bool,
                   dx: "out float32[positions, channels] or None, may be dy", dslope: "out float32[channels] or None",
                   threads: "int" = None):
    """The way back through the parametric ReLU:
      dx[m,c]        = x[m,c] > 0 ? dy[m,c] : slope[c] dy[m,c]
      dslope[c] (+)= sum over m, in this order, of x[m,c] > 0 ? 0 : x[m,c] dy[m,c]
    dx: M C or NULL; dslope: C or NULL. dx may be dy."""


@operation()
def softmax_forward(positions: int, channels: int, x: "float32[positions, channels]",
                    y: "out float32[positions, channels], may be x", threads: "int" = None):
    """Softmax over the C channels of each of M positions:  y[m,c] = exp(x[m,c]) / sum over k of exp(x[m,k]).
    The greatest x of a position is taken off first. x, y: M C. y may be x."""


@operation()
def softmax_backward(positions: int, channels: int, y: "float32[positions, channels]",
                     dy: "float32[positions, channels]", dx: "out float32[positions, channels], may be dy",
                     threads: "int" = None):
    """dx[m,c] = y[m,c] (dy[m,c] - sum over k of y[m,k] dy[m,k]), with y the output. dx may be dy."""


@operation()
def fork_backward(activation: "activation", count: int, x: "float32[count] or None", first: "float32[count]",
                  second: "float32[count]", dx: "out float32[count], may be first or second", threads: "int" = None):
    """The way back where two read one value x[i] = a(s[i]): dx[i] = a'(s[i]) (first[i] + second[i]), the errors of the two
    readers, in this order. x is ignored where a is linear. dx may be first or second."""


@operation()
def join_forward(activation: "activation", count: int, x: "float32[count]", skip: "float32[count]",
                 y: "out float32[count], may be x or skip", threads: "int" = None):
    """Where two branches meet in a sum: y[i] = a(x[i] + skip[i]). y may be x or skip."""


@operation()
def concat_forward(positions: int, channels: int, skip_channels: int, x: "float32[positions, channels]",
                   skip: "float32[positions, skip_channels]", y: "out float32[positions, channels+skip_channels]",
                   threads: "int" = None):
    """Where two branches meet side by side, with M positions: y[m] = [x[m] | skip[m]].
    x: M channels; skip: M skip_channels; y: M (channels + skip_channels)."""


@operation()
def concat_backward(positions: int, channels: int, skip_channels: int,
                    dy: "float32[positions, channels+skip_channels]", dx: "out float32[positions, channels] or None",
                    dskip: "out float32[positions, skip_channels] or None", threads: "int" = None):
    """The way back: [dx[m] | dskip[m]] = dy[m]. dx or dskip may be NULL where nobody wants it."""


@operation()
def conv2d_check(geometry: Geometry2D):
    """NULL, or why the convolution calls refuse this geometry. Extents, filter and strides must be at least 1, padding and
    samples at least 0; nothing above 2^31, and below 2^40 elements all images, the filter, a large image with its
    padding, (few large channels) the products of a small image with all taps, and (groups of few channels) an image
    times the channels of the other's group. Dilation and groups must be at least 0, and groups divide both numbers of
    channels. Strides in memory must be at least 0 and keep pixels, rows and samples apart, in the order of N H W C, and
    images with what lies between must be below 2^40 elements. Winograd's form takes filters of 3 x 3 with strides of 1,
    and filters of 4 x 4 with strides of 2, without dilation and groups."""


@operation("conv2d_check")
def conv2d_prepared_gather_count(geometry: Geometry2D) -> "count":
    """How many of them a filter takes; -1 for a geometry that is refused."""


@operation("conv2d_check")
def conv2d_prepared_scatter_count(geometry: Geometry2D) -> "count":
    """How many of them a filter takes; -1 for a geometry that is refused."""


@operation("conv2d_check")
def conv2d_prepare_gather(geometry: Geometry2D, filter: "float32[R, S, C//G, K]",
                          prepared: "out gather_filter[conv2d_prepared_gather_count(geometry)]",
                          threads: "int" = None):
    """prepared = filter (R S C K) in the order the gather form reads it. Cost: one read and one write of the filter."""


@operation("conv2d_check")
def conv2d_prepare_scatter(geometry: Geometry2D, filter: "float32[R, S, C//G, K]",
                           prepared: "out scatter_filter[conv2d_prepared_scatter_count(geometry)]",
                           threads: "int" = None):
    """prepared = filter (R S C K), transposed for the scatter form. Cost: one read and one write of the filter."""


@operation("conv2d_check")
def conv2d_forward_scratch(geometry: Geometry2D, threads: "int" = None) -> "count":
    """Floats of scratch of each pass; -1 for a geometry or parallel that is refused. The passes in the gather form want
    none by the direct algorithm, but for groups of one or few channels."""


@operation("conv2d_check")
def conv2d_backward_data_scratch(geometry: Geometry2D, threads: "int" = None) -> "count":
    """Floats of scratch of each pass; -1 for a geometry or parallel that is refused. The passes in the gather form want
    none by the direct algorithm, but for groups of one or few channels."""


@operation("conv2d_check")
def conv2d_backward_filter_scratch(geometry: Geometry2D, threads: "int" = None) -> "count":
    """Floats of scratch of each pass; -1 for a geometry or parallel that is refused. The passes in the gather form want
    none by the direct algorithm, but for groups of one or few channels."""


@operation("conv2d_check")
def conv2d_transpose_forward_scratch(geometry: Geometry2D, threads: "int" = None) -> "count":
    """Floats of scratch of each pass; -1 for a geometry or parallel that is refused. The passes in the gather form want
    none by the direct algorithm, but for groups of one or few channels."""


@operation("conv2d_check")
def conv2d_transpose_backward_data_scratch(geometry: Geometry2D, threads: "int" = None) -> "count":
    """Floats of scratch of each pass; -1 for a geometry or parallel that is refused. The passes in the gather form want
    none by the direct algorithm, but for groups of one or few channels."""


@operation("conv2d_check")
def conv2d_transpose_backward_filter_scratch(geometry: Geometry2D, threads: "int" = None) -> "count":
    """Floats of scratch of each pass; -1 for a geometry or parallel that is refused. The passes in the gather form want
    none by the direct algorithm, but for groups of one or few channels."""


@operation("conv2d_check")
def conv2d_forward(geometry: Geometry2D, x: "float32[N, H, W, C]",
                   gather_filter: "gather_filter[conv2d_prepared_gather_count(geometry)]", bias: "float32[K] or None",
                   activation: "activation", y: "out float32[N, P, Q, K]",
                   scratch: "out float32[conv2d_forward_scratch(geometry, threads)]" = None, threads: "int" = None):
    """y[n,p,q,k] = a(bias[k] + sum over r, s, c of x[n, pU+r-pad_top, qV+s-pad_left, c] w[r,s,c,k])
    x: N H W C; gather_filter: prepared; bias: K or NULL; y: N P Q K.
    Cost by the direct algorithm: 2 N P Q K R S C / G flops less those on padding."""


@operation("conv2d_check")
def conv2d_backward_data(geometry: Geometry2D, dy: "float32[N, P, Q, K]",
                         scatter_filter: "scatter_filter[conv2d_prepared_scatter_count(geometry)]",
                         gate_activation: "activation", gate: "float32[N, H, W, C] or None",
                         dx: "out float32[N, H, W, C]",
                         scratch: "out float32[conv2d_backward_data_scratch(geometry, threads)]" = None,
                         threads: "int" = None):
    """dx[n,h,w,c] = a'(gate[n,h,w,c]) * sum over the p, q, r, s that meet (h, w), and k, of dy[n,p,q,k] w[r,s,c,k]
    dy: N P Q K; scatter_filter: prepared; gate: N H W C, the output of the activation that made x (ignored when that is
    linear); dx: N H W C."""


@operation("conv2d_check")
def conv2d_backward_filter(geometry: Geometry2D, x: "float32[N, H, W, C]", dy: "float32[N, P, Q, K]", accumulate: bool,
                           dfilter: "out float32[R, S, C//G, K] or None", dbias: "out float32[K] or None",
                           scratch: "out float32[conv2d_backward_filter_scratch(geometry, threads)]" = None,
                           threads: "int" = None):
    """dfilter[r,s,c,k] (+)= sum over n, p, q of x[n, pU+r-pad_top, qV+s-pad_left, c] dy[n,p,q,k]
    dbias[k]         (+)= sum over n, p, q of dy[n,p,q,k]
    x: N H W C; dy: N P Q K; dfilter: R S C K or NULL; dbias: K or NULL. Samples in order, so that calls with accumulate
    over runs of samples give the bits of one call; only a bias of fewer than 16 channels is summed call by call, in 16
    partial sums for each channel, and what accumulates is the sum of each call. With C / G < 8 padding is multiplied as
    zeros, so that an infinity or NaN in dy also reaches the taps that meet padding there."""


@operation("conv2d_check")
def conv2d_transpose_forward(geometry: Geometry2D, y: "float32[N, P, Q, K]",
                             scatter_filter: "scatter_filter[conv2d_prepared_scatter_count(geometry)]",
                             bias: "float32[C] or None", activation: "activation", x: "out float32[N, H, W, C]",
                             scratch: "out float32[conv2d_transpose_forward_scratch(geometry, threads)]" = None,
                             threads: "int" = None):
    """x[n,h,w,c] = a(bias[c] + sum over the p, q, r, s that meet (h, w), and k, of y[n,p,q,k] w[r,s,c,k])
    y: N P Q K; scatter_filter: prepared; bias: C or NULL; x: N H W C."""


@operation("conv2d_check")
def conv2d_transpose_backward_data(geometry: Geometry2D, dx: "float32[N, H, W, C]",
                                   gather_filter: "gather_filter[conv2d_prepared_gather_count(geometry)]",
                                   gate_activation: "activation", gate: "float32[N, P, Q, K] or None",
                                   dy: "out float32[N, P, Q, K]",
                                   scratch: "out float32[conv2d_transpose_backward_data_scratch(geometry, threads)]" = None,
                                   threads: "int" = None):
    """dy[n,p,q,k] = a'(gate[n,p,q,k]) * sum over r, s, c of dx[n, pU+r-pad_top, qV+s-pad_left, c] w[r,s,c,k]
    dx: N H W C; gather_filter: prepared; gate: N P Q K; dy: N P Q K."""


@operation("conv2d_check")
def conv2d_transpose_backward_filter(geometry: Geometry2D, y: "float32[N, P, Q, K]", dx: "float32[N, H, W, C]",
                                     accumulate: bool, dfilter: "out float32[R, S, C//G, K] or None",
                                     dbias: "out float32[C] or None",
                                     scratch: "out float32[conv2d_transpose_backward_filter_scratch(geometry, threads)]" = None,
                                     threads: "int" = None):
    """dfilter[r,s,c,k] (+)= sum over n, p, q of dx[n, pU+r-pad_top, qV+s-pad_left, c] y[n,p,q,k]
    dbias[c]         (+)= sum over n, h, w of dx[n,h,w,c]
    y: N P Q K; dx: N H W C; dfilter: R S C K or NULL; dbias: C or NULL."""


@operation()
def max_pool2d_check(geometry: Geometry2D):
    """NULL, or why the pooling calls refuse this geometry: as conv2d_check, and channels must be equal (C = K), R S at
    most 255, padding below the filter's extent, every window must hold at least one element of the large image, and the
    algorithm is the direct one."""


@operation("max_pool2d_check")
def max_pool2d_forward(geometry: Geometry2D, x: "float32[N, H, W, C]", y: "out float32[N, P, Q, K]",
                       switches: "out uint8[N, P, Q, K] or None", threads: "int" = None):
    """y[n,p,q,k] = max over r, s of x[n, pU+r-pad_top, qV+s-pad_left, k]
    switches[n,p,q,k] = r S + s of the first maximum in the order of r, s; NaN counts as larger than any number.
    x: N H W C; y: N P Q K; switches: N P Q K or NULL."""


@operation("max_pool2d_check")
def max_pool2d_backward(geometry: Geometry2D, dy: "float32[N, P, Q, K]", switches: "uint8[N, P, Q, K]",
                        gate_activation: "activation", y: "float32[N, P, Q, K] or None", dx: "out float32[N, H, W, C]",
                        threads: "int" = None):
    """dx = a'(y) * dy put at the switches, zero elsewhere; windows that overlap add at the shared place in the order of
    p, q. The element of x at a switch equals y, so that a'(y) is the derivative of the activation that made x, and x
    need not be read. dy, switches, y (ignored when that activation is linear): N P Q K; dx: N H W C."""


@operation("max_pool2d_check")
def max_unpool2d_forward(geometry: Geometry2D, y: "float32[N, P, Q, K]", switches: "uint8[N, P, Q, K]",
                         x: "out float32[N, H, W, C]", threads: "int" = None):
    """Max-unpooling: x = y put at the switches of a max-pooling of the same geometry, zero elsewhere; windows that overlap
    add at the shared place. A switch that names no element of its window's part of the image puts nothing.
    y, switches: N P Q K; x: N H W C."""


@operation("max_pool2d_check")
def max_unpool2d_backward(geometry: Geometry2D, dx: "float32[N, H, W, C]", switches: "uint8[N, P, Q, K]",
                          dy: "out float32[N, P, Q, K]", threads: "int" = None):
    """dy[n,p,q,k] = dx at the switch of (n, p, q, k), zero for a switch as above. dx: N H W C; switches, dy: N P Q K."""


@operation()
def upsample2d_check(geometry: Geometry2D):
    """NULL, or why the upsampling calls refuse this geometry: as conv2d_check, and channels must be equal (C = K), the
    filter as large as the strides, H = P U and W = Q V, and there is no padding."""


@operation("upsample2d_check")
def upsample2d_forward(geometry: Geometry2D, y: "float32[N, P, Q, K]", x: "out float32[N, H, W, C]",
                       threads: "int" = None):
    """Upsampling by repetition: x[n,pU+r,qV+s,k] = y[n,p,q,k] for all r < U, s < V.  y: N P Q K; x: N H W C."""


@operation("upsample2d_check")
def upsample2d_backward(geometry: Geometry2D, dx: "float32[N, H, W, C]", dy: "out float32[N, P, Q, K]",
                        threads: "int" = None):
    """dy[n,p,q,k] = sum over r, s, in this order, of dx[n,pU+r,qV+s,k].  dx: N H W C; dy: N P Q K."""


@operation("upsample2d_check")
def average_pool2d_forward(geometry: Geometry2D, x: "float32[N, H, W, C]", y: "out float32[N, P, Q, K]",
                           threads: "int" = None):
    """Average pooling without padding or overlap, of the geometries that upsample2d_check takes: the adjoint of
    upsampling times 1 / (U V), a float.

      y[n,p,q,k] = 1 / (U V) * sum over r < U, s < V, in this order, of x[n,pU+r,qV+s,k].  x: N H W C; y: N P Q K."""


@operation("upsample2d_check")
def average_pool2d_backward(geometry: Geometry2D, dy: "float32[N, P, Q, K]", dx: "out float32[N, H, W, C]",
                            threads: "int" = None):
    """dx[n,pU+r,qV+s,k] = 1 / (U V) * dy[n,p,q,k].  dy: N P Q K; dx: N H W C."""


@operation()
def resample2d_check(geometry: Resampling2D):
    """NULL, or why the call refuses this geometry: extents must be 1 to 2^31, channels at least 1, samples at least 0, taps
    inside the input, and images below 2^40 elements. Cost: the taps of both axes."""


@operation("resample2d_check")
def resample2d(geometry: Resampling2D, x: "float32[N, H, W, C]", y: "out float32[N, P, Q, C]", threads: "int" = None):
    """y[n,p,q,c] = sum over the taps a of row p and b of column q, in this order, of
                 x[n, vertical.input[a], horizontal.input[b], c] (vertical.weight[a] horizontal.weight[b])
    x: N H W C; y: N P Q C."""


@operation()
def permute_check(permutation: Permutation):
    """NULL, or why the calls refuse this permutation: extents must be at least 1, with fewer than 2^40 elements in all, and
    the strides must lead to each element of x once."""


@operation("permute_check")
def permute_forward(permutation: Permutation, x: "float32[N, E]", y: "out float32[N, E]", threads: "int" = None):
    """y[n, i] = x[n, place of i], and the way back dx[n, place of i] = dy[n, i]. Arrays: N times the elements."""


@operation("permute_check")
def permute_backward(permutation: Permutation, dy: "float32[N, E]", dx: "out float32[N, E]", threads: "int" = None):
    """y[n, i] = x[n, place of i], and the way back dx[n, place of i] = dy[n, i]. Arrays: N times the elements."""


@operation()
def group_norm_check(geometry: GroupNorm):
    """NULL, or why the calls below refuse this geometry. Positions, channels and groups must be at least 1, samples at
    least 0, and there must be fewer than 2^40 elements."""


@operation("group_norm_check")
def group_norm_forward(geometry: GroupNorm, x: "float32[N, P, C]", weight: "float32[C] or None",
                       bias: "float32[C] or None", y: "out float32[N, P, C]", mean: "out float32[N, G]",
                       variance: "out float32[N, G]", threads: "int" = None):
    """mean[n,g]     = 1/M sum of x over the group
    variance[n,g] = 1/M sum of (x - mean)^2 over the group
    y[n,p,c]      = a((x[n,p,c] - mean) / sqrt(variance + epsilon) weight[c] + bias[c])
    x, y: N P C; weight: C, NULL for 1; bias: C or NULL; mean, variance: N G. A sum over positions is four chains,
    position p in chain p mod 4; the channels of a group are then added in order, or in 16 partial sums where there are
    16 or more."""


@operation("group_norm_check")
def group_norm_apply(geometry: GroupNorm, x: "float32[N, P, C]", mean: "float32[N, G]", variance: "float32[N, G]",
                     weight: "float32[C] or None", bias: "float32[C] or None", y: "out float32[N, P, C]",
                     threads: "int" = None):
    """y as group_norm_forward makes it, from mean and variance that are given. Batch normalisation uses running ones so
    after training."""


@operation("group_norm_check")
def group_norm_backward(geometry: GroupNorm, x: "float32[N, P, C]", dy: "float32[N, P, C]", mean: "float32[N, G]",
                        variance: "float32[N, G]", weight: "float32[C] or None", accumulate: bool,
                        dx: "out float32[N, P, C] or None", dweight: "out float32[C] or None",
                        dbias: "out float32[C] or None", threads: "int" = None):
    """The way back, with z = (x - mean) / sqrt(variance + epsilon) and averages over the group's elements; dy is the error
    of what the activation reads:
      dx             = (weight dy - average of weight dy - z average of weight dy z) / sqrt(variance + epsilon)
      dweight[c] (+)= sum over n, p of dy z
      dbias[c]   (+)= sum over n, p of dy
    Sums over positions are two chains for each sample, position p in chain p mod 2; samples come in order.
    x, dy: N P C; mean, variance: N G, from the forward pass; dx: N P C or NULL; dweight, dbias: C or NULL."""


@operation()
def dense_check(geometry: Dense):
    """NULL, or why the dense calls refuse this geometry. Inputs and outputs must be at least 1, samples at least 0; inputs
    and outputs at most 2^31, and below 2^40 elements the weight and each array, rounded up to 16 columns."""


@operation("dense_check")
def dense_forward_scratch(geometry: Dense, threads: "int" = None) -> "count":
    """Floats of scratch of the forward pass, of the data gradient and of the weight gradient; -1 for a geometry or parallel
    that is refused."""


@operation("dense_check")
def dense_backward_data_scratch(geometry: Dense, threads: "int" = None) -> "count":
    """Floats of scratch of the forward pass, of the data gradient and of the weight gradient; -1 for a geometry or parallel
    that is refused."""


@operation("dense_check")
def dense_backward_weight_scratch(geometry: Dense, threads: "int" = None) -> "count":
    """Floats of scratch of the forward pass, of the data gradient and of the weight gradient; -1 for a geometry or parallel
    that is refused."""


@operation("dense_check")
def dense_forward(geometry: Dense, x: "float32[N, I]", weight: "float32[I, O]", bias: "float32[O] or None",
                  activation: "activation", y: "out float32[N, O]",
                  scratch: "out float32[dense_forward_scratch(geometry, threads)]" = None, threads: "int" = None):
    """y[n,o] = a(bias[o] + sum over i of x[n,i] w[i,o]).  x: N I; weight: I O; bias: O or NULL; y: N O."""


@operation("dense_check")
def dense_backward_data(geometry: Dense, dy: "float32[N, O]", weight: "float32[I, O]", gate_activation: "activation",
                        gate: "float32[N, I] or None", dx: "out float32[N, I]",
                        scratch: "out float32[dense_backward_data_scratch(geometry, threads)]" = None,
                        threads: "int" = None):
    """dx[n,i] = a'(gate[n,i]) * sum over o of dy[n,o] w[i,o].  dy: N O; weight: I O; gate, dx: N I."""


@operation("dense_check")
def dense_backward_weight(geometry: Dense, first_input: int, last_input: int, x: "float32[N, I]", dy: "float32[N, O]",
                          accumulate: bool, dweight: "out float32[I, O]",
                          scratch: "out float32[dense_backward_weight_scratch(geometry, threads)]" = None,
                          threads: "int" = None):
    """dweight[i,o] (+)= sum over n of x[n,i] dy[n,o] for the rows i in [first_input, last_input), samples in order;
    0 <= first_input <= last_input <= I. x: N I; dy: N O; dweight: I O, of which only those rows are written."""


@operation("dense_check")
def dense_backward_bias(geometry: Dense, dy: "float32[N, O]", accumulate: bool, dbias: "out float32[O]",
                        threads: "int" = None):
    """dbias[o] (+)= sum over n of dy[n,o], samples in order.  dy: N O; dbias: O."""


@operation()
def transpose(rows: int, columns: int, in_: "float32[rows, columns]", out: "out float32[columns, rows]",
              threads: "int" = None):
    """out[j,i] = in[i,j], of a matrix of rows x columns: the weight of a dense layer that is tied to another."""


@operation()
def bernoulli_logits(samples: int, count: int, logits: "float32[samples, count]", targets: "float32[samples, count]",
                     loss: "out float32[samples] or None",
                     dlogits: "out float32[samples, count] or None, may be logits", threads: "int" = None):
    """Bernoulli likelihood of targets in [0, 1] from logits l, in nats:
      loss[n] = sum over j of max(l, 0) - l t + log(1 + exp(-|l|));   dlogits = 1 / (1 + exp(-l)) - t
    logits, targets, dlogits: N D; loss: N or NULL; dlogits may be NULL or equal to logits."""


@operation()
def squared_error(samples: int, count: int, y: "float32[samples, count]", targets: "float32[samples, count]",
                  loss: "out float32[samples] or None", dy: "out float32[samples, count] or None, may be y",
                  threads: "int" = None):
    """Squared error:
      loss[n] = sum over j of (y - t)^2;   dy = 2 (y - t)
    Shapes and aliasing as bernoulli_logits has them."""


@operation()
def absolute_error(samples: int, count: int, y: "float32[samples, count]", targets: "float32[samples, count]",
                   loss: "out float32[samples] or None", dy: "out float32[samples, count] or None, may be y",
                   threads: "int" = None):
    """Absolute error:
      loss[n] = sum over j of |y - t|;   dy = the sign of y - t, 0 where they are equal
    Shapes and aliasing as bernoulli_logits has them."""


@operation()
def huber_error(samples: int, count: int, y: "float32[samples, count]", targets: "float32[samples, count]",
                loss: "out float32[samples] or None", dy: "out float32[samples, count] or None, may be y",
                threads: "int" = None):
    """Huber's loss (1964) with threshold 1, d = y - t:
      loss[n] = sum over j of d^2 / 2 where |d| <= 1, else |d| - 1/2;   dy = d clamped to [-1, 1]
    Shapes and aliasing as bernoulli_logits has them."""


@operation()
def log_cosh_error(samples: int, count: int, y: "float32[samples, count]", targets: "float32[samples, count]",
                   loss: "out float32[samples] or None", dy: "out float32[samples, count] or None, may be y",
                   threads: "int" = None):
    """ln cosh, d = y - t:
      loss[n] = sum over j of ln(cosh(d));   dy = tanh(d)
    Shapes and aliasing as bernoulli_logits has them."""


@operation()
def poisson(samples: int, count: int, log_rates: "float32[samples, count]", targets: "float32[samples, count]",
            loss: "out float32[samples] or None", dlog_rates: "out float32[samples, count] or None, may be log_rates",
            threads: "int" = None):
    """Poisson likelihood of counts t >= 0 from the logarithms l of their rates, in nats:
      loss[n] = sum over j of exp(l) - t l + ln(t!);   dlog_rates = exp(l) - t
    with Gamma(t + 1) for t!. Shapes and aliasing as bernoulli_logits has them."""


@operation()
def multinomial(samples: int, count: int, logits: "float32[samples, count]", targets: "float32[samples, count]",
                loss: "out float32[samples] or None", dlogits: "out float32[samples, count] or None, may be logits",
                threads: "int" = None):
    """Multinomial likelihood of counts t >= 0 that add up to N, from logits l, in nats, with p = exp(l) / sum of exp(l):
      loss[n] = sum over j of (ln(t!) - t ln p) - ln(N!);   dlogits = N p - t
    over the targets that are not missing. Shapes and aliasing as bernoulli_logits has them."""


@operation()
def gaussian(samples: int, count: int, variance: float, y: "float32[samples, count]",
             targets: "float32[samples, count]", loss: "out float32[samples] or None",
             dy: "out float32[samples, count] or None, may be y", threads: "int" = None):
    """Gaussian likelihood of a given variance v, in nats:
      loss[n] = sum over j of (y - t)^2 / (2 v) + log(2 pi v) / 2;   dy = (y - t) / v
    variance: v and 2 pi v must be normal and finite. Shapes and aliasing as bernoulli_logits has them."""


@operation()
def gaussian_heads(samples: int, pixels: int, channels: int, heads: "float32[samples, pixels, 2*channels]",
                   targets: "float32[samples, pixels, channels]", loss: "out float32[samples] or None",
                   dheads: "out float32[samples, pixels, 2*channels] or None, may be heads", threads: "int" = None):
    """Gaussian likelihood whose variances are put out too, in nats; each pixel of heads holds C means m, then C
    log-variances lv:
      loss[n] = sum of ((m - t)^2 exp(-lv) + lv + log(2 pi)) / 2
      dm = (m - t) exp(-lv);   dlv = (1 - (m - t)^2 exp(-lv)) / 2,  0 where lv was clamped
    heads, dheads: N P 2C; targets: N P C; loss: N or NULL; dheads may be NULL or equal to heads."""


@operation()
def negative_binomial(samples: int, pixels: int, channels: int, heads: "float32[samples, pixels, 2*channels]",
                      targets: "float32[samples, pixels, channels]", loss: "out float32[samples] or None",
                      dheads: "out float32[samples, pixels, 2*channels] or None, may be heads", threads: "int" = None):
    """Negative binomial likelihood of counts t >= 0, in nats; each pixel of heads holds C logarithms l of means m, then C
    logarithms lr of dispersions r, clamped as log-variances are; the variance is m + m^2 / r:
      loss[n] = sum of ln Gamma(r) + ln(t!) - ln Gamma(t + r) - r ln(r / (r + m)) - t ln(m / (r + m))
      dl = r (m - t) / (r + m)
      dlr = r (digamma(r) - digamma(t + r) + ln((r + m) / r) + (t - m) / (r + m)),  0 where lr was clamped
    Shapes and aliasing as gaussian_heads has them."""


@operation()
def discretized_logistic(samples: int, pixels: int, channels: int, heads: "float32[samples, pixels, 2*channels]",
                         targets: "float32[samples, pixels, channels]", loss: "out float32[samples] or None",
                         dheads: "out float32[samples, pixels, 2*channels] or None, may be heads",
                         threads: "int" = None):
    """Discretized logistic likelihood of the 256 levels 0, 1/255 ... 1, in nats; each pixel of heads holds C means m, then
    C logarithms ls of scales s, clamped as log-variances are:
      loss[n] = -sum of ln(F(t + 1/510) - F(t - 1/510)),   F(x) = 1 / (1 + exp(-(x - m) / s))
    with F = 0 below the level 0 and F = 1 above the level 1; ls has no gradient where it was clamped. Shapes and
    aliasing as gaussian_heads has them."""


@operation()
def softmax_cross_entropy(samples: int, classes: int, logits: "float32[samples, classes]", labels: "int32[samples]",
                          loss: "out float32[samples] or None",
                          dlogits: "out float32[samples, classes] or None, may be logits", threads: "int" = None):
    """Categorical likelihood of a label from logits l, in nats (softmax cross-entropy):
      loss[n] = log(sum over j of exp(l[n,j])) - l[n,label];   dlogits[n,j] = exp(l[n,j]) / sum, less 1 for the label
    logits, dlogits: N K; labels: N, each of 0 to K - 1; loss: N or NULL; dlogits may be NULL or equal to logits."""


@operation()
def ssim_check(samples: int, height: int, width: int, channels: int):
    """NULL, or why ssim refuses this geometry: samples below 0, height or width below HG_SSIM_WINDOW, channels below 1,
    2^40 elements or more."""


@operation("ssim_check")
def ssim_scratch(samples: int, height: int, width: int, channels: int, threads: "int" = None) -> "count":
    """Floats of scratch of ssim; -1 for a geometry or parallel that is refused."""


@operation("ssim_check")
def ssim(samples: int, height: int, width: int, channels: int, y: "float32[samples, height, width, channels]",
         targets: "float32[samples, height, width, channels]", loss: "out float32[samples] or None",
         dy: "out float32[samples, height, width, channels] or None, may be y",
         scratch: "out float32[ssim_scratch(samples, height, width, channels, threads)]" = None,
         threads: "int" = None):
    """Structural dissimilarity of images in [0, 1] (Wang, Bovik, Sheikh & Simoncelli, "Image quality assessment: from error
    visibility to structural similarity", IEEE Transactions on Image Processing 13, 2004), summed over elements:
      loss[n] = H W C (1 - mean over channels and windows of s)
      s = (2 mt my + C1) (2 cty + C2) / ((mt^2 + my^2 + C1) (vt + vy + C2)),   C1 = 0.01^2, C2 = 0.03^2
    with the means mt, my, variances vt, vy and covariance cty of a window, weighed with a Gaussian of deviation 1.5; all
    windows within the image.  dy = its derivative.  Computed in double and rounded once; window i of a row, channels
    counted, in partial sum i mod 16.  y, targets, dy: N H W C; loss: N or NULL; dy may be NULL or equal to y."""


@operation("ssim_check")
def ms_ssim_scratch(samples: int, height: int, width: int, channels: int, threads: "int" = None) -> "count":
    """Floats of scratch of ms_ssim; -1 for a geometry (as of ssim) or parallel that is refused."""


@operation("ssim_check")
def ms_ssim(samples: int, height: int, width: int, channels: int, y: "float32[samples, height, width, channels]",
            targets: "float32[samples, height, width, channels]", loss: "out float32[samples] or None",
            dy: "out float32[samples, height, width, channels] or None, may be y",
            scratch: "out float32[ms_ssim_scratch(samples, height, width, channels, threads)]" = None,
            threads: "int" = None):
    """Multi-scale structural dissimilarity of images in [0, 1] (Wang, Simoncelli & Bovik, "Multi-scale structural
    similarity for image quality assessment", Asilomar 2003), summed over elements:
      loss[n] = H W C (1 - product over the scales j of m_j^w_j)
    Each scale has the means of 2 x 2 pixels of the one before, a row or column that is left over left out: as many
    scales as windows fit, at most 5. m_j is the mean over channels and windows of s at the last scale, and of its factor
    (2 cty + C2) / (vt + vy + C2) at the others; w is 0.0448, 0.2856, 0.3001, 0.2363, 0.1333, of fewer scales over their
    sum. Where a mean is not above 0 the product is 0, without a derivative. Shapes and aliasing as ssim has them."""


@operation()
def gaussian_latent_forward(samples: int, units: int, heads: "float32[samples, 2*units]",
                            noise: "float32[samples, units] or None", z: "out float32[samples, units]",
                            kl: "out float32[samples] or None", threads: "int" = None):
    """Reparametrised Gaussian latent (Kingma & Welling 2014). heads[n] holds Z means, then Z log-variances:
      z = mean + exp(lv / 2) noise;   kl[n] = 1/2 sum over j of mean^2 + exp(lv) - 1 - lv,  lv clamped as above
    heads: N 2Z; noise: N Z, NULL for z = mean; z: N Z; kl: N or NULL."""


@operation()
def gaussian_latent_backward(samples: int, units: int, heads: "float32[samples, 2*units]",
                             noise: "float32[samples, units] or None", dz: "float32[samples, units]", beta: float,
                             dheads: "out float32[samples, 2*units]", threads: "int" = None):
    """dmean = dz + beta mean;   dlv = dz noise exp(lv / 2) / 2 + beta (exp(lv) - 1) / 2,  0 where lv was clamped.
    heads, dheads: N 2Z; noise: N Z or NULL; dz: N Z."""


@operation()
def gaussian_free_bits(samples: int, units: int, heads: "float32[samples, 2*units]", free_bits: float, beta: float,
                       dheads: "out float32[samples, 2*units]", threads: "int" = None):
    """Free bits (Kingma et al., "Improved variational inference with inverse autoregressive flow", NIPS 2016, eq. 15): the
    way back through beta N sum over j of max(free_bits, KL_j), where KL_j is what unit j adds to kl, in the mean over N.
    It belongs after gaussian_latent_backward with a beta of 0. In all samples of units with KL_j > free_bits:
      dmean += beta mean;   dlv += beta (exp(lv) - 1) / 2,  nothing where lv was clamped.
    heads, dheads: N 2Z."""


@operation()
def gaussian_log_ratio(samples: int, units: int, heads: "float32[samples, 2*units]", noise: "float32[samples, units]",
                       z: "float32[samples, units]", ratio: "out float32[samples]", threads: "int" = None):
    """What a sample z of the latent adds to -log w of its importance weight w = p(x | z) p(z) / q(z | x):
      ratio[n] = log q(z[n] | x) - log p(z[n]) = 1/2 sum over j of z^2 - noise^2 - lv,  lv clamped as above
    heads: N 2Z; noise, z: N Z as gaussian_latent_forward took and wrote them; ratio: N."""


@operation()
def gaussian_log_ratio_backward(samples: int, units: int, heads: "float32[samples, 2*units]",
                                noise: "float32[samples, units]", z: "float32[samples, units]",
                                weights: "float32[samples]", dz: "float32[samples, units]",
                                dheads: "out float32[samples, 2*units]", threads: "int" = None):
    """The way back through sum over n of <z[n], dz[n]> + weights[n] ratio[n]:
      dmean = dz + weights z;   dlv = ((dz + weights z) noise exp(lv / 2) - weights) / 2,  0 where lv was clamped
    heads, dheads: N 2Z; noise, z, dz: N Z; weights: N."""


@operation()
def importance_bound(images: int, draws: int, count: int, loss: "float32[images, draws]",
                     ratio: "float32[images, draws]", bound: "out float32[images]",
                     weights: "out float32[images, draws]", dy: "out float32[images, draws, count] or None",
                     threads: "int" = None):
    """Importance-weighted bound of log p(x) from K samples of each of I latents (Burda et al. 2016), in nats:
      bound[i] = log(1/K sum over k of w[i,k]),   log w = -(loss + ratio);   weights[i,k] = w[i,k] / sum over k of w[i,k]
    and the errors dy of the loss become those of -bound, each row times its weight.
    loss, ratio, weights: I K; bound: I; dy: I K D or NULL."""


@operation()
def random_bits(stream: RandomStream, first: int, count: int, out: "out uint32[count]"):
    """out[i] = 32 random bits, values [first, first + count) of the stream, which after 2^34 values starts anew."""


@operation()
def random_uniform(stream: RandomStream, first: int, count: int, out: "out float32[count]"):
    """out[i] = ((bits >> 9) + 1/2) 2^-23, uniform in the open interval (0, 1)."""


@operation()
def random_normal(stream: RandomStream, first: int, count: int, out: "out float32[count]"):
    """Standard normal values by Box and Muller (1958): of each pair of uniforms (u, v), values 2i and 2i + 1 of the stream,
    out is sqrt(-2 ln u) cos(2 pi v) and sqrt(-2 ln u) sin(2 pi v). first must be even."""


@operation()
def dropout_mask_count(count: int) -> "count":
    """Words of 32 bits that tell of `count` values which were kept: bit j mod 32 of word j div 32, the rest zero.
    -1 for a count below 0."""


@operation()
def dropout_forward(stream: RandomStream, rate: float, samples: int, count: int, input_activation: "activation",
                    x: "float32[samples, count]", y: "out float32[samples, count]",
                    mask: "out uint32[samples, dropout_mask_count(count)]", threads: "int" = None):
    """Inverted dropout (Srivastava et al., JMLR 2014):
      y[n,j] = x[n,j] / (1 - rate) where the value is kept, else 0
    with 0 <= rate < 1. Sample n draws from the stream of sample stream->sample + n, and value j is kept where its 32
    random bits, read as a number, are at least rate 2^32 rounded.
    x, y: N x count; mask: N x dropout_mask_count(count).

    input_activation made x. A bit of the mask is set where the value is kept and, below a ReLU, x > 0: then the way
    back needs neither the random numbers again, which take four times its own work, nor x, which is 32 times as
    large."""


@operation()
def dropout_backward(rate: float, samples: int, count: int, dy: "float32[samples, count]",
                     mask: "uint32[samples, dropout_mask_count(count)]", input_activation: "activation",
                     x: "float32[samples, count] or None", dx: "out float32[samples, count], may be dy",
                     threads: "int" = None):
    """dx[n,j] = a'(x[n,j]) dy[n,j] / (1 - rate) where bit j of the mask is set, else 0, with a the input's activation.
    x: N x count, ignored where a is linear or ReLU; dx may be dy."""


@operation()
def gaussian_noise(stream: RandomStream, deviation: float, samples: int, count: int, x: "float32[samples, count]",
                   y: "out float32[samples, count], may be x", threads: "int" = None):
    """y[n,j] = x[n,j] + deviation e[n,j], e[n,j] being normal value j (random_normal) of the stream of sample
    stream->sample + n. x, y: N x count; y may be x."""


@operation()
def sum_shards(count: int, shards: int, stride: int, gradients: "float32[(shards-1)*stride+count]", accumulate: bool,
               sum: "out float32[count]", threads: "int" = None):
    """sum[i] = ((shards[0][i] + shards[1][i]) + shards[2][i]) + ...
    or, with accumulate, ((sum[i] + shards[0][i]) + shards[1][i]) + ..., where shards[s] = gradients + s * stride; there
    is at least one. Without accumulate sum may be one of the shards."""


@operation()
def first_nonfinite(count: int, x: "float32[count]") -> int:
    """Index of the first element that is infinite or NaN, or -1. A count below 1 is none."""


@operation()
def sum_of_squares(count: int, x: "float32[count]") -> float:
    """Sum of squares in 16 partial sums of double; the same bits on every instruction set. A count below 1 gives 0."""


@operation()
def argmin(rows: int, columns: int, x: "float32[rows, columns]", indices: "out int32[rows]"):
    """indices[r] = column of the least number of row r of x[rows,columns], the first of equal ones; NaN counts as infinite.
    There are 1 to 2^31 - 16 columns."""


@operation()
def moving_average(count: int, decay: float, x: "float32[count]", average: "out float32[count]",
                   threads: "int" = None):
    """Exponential moving average:  average[i] = decay average[i] + (1 - decay) x[i]."""


@operation()
def adam(options: AdamOptions, count: int, gradient: "float32[count]", weights: "out float32[count]",
         m: "out float32[count]", v: "out float32[count]", threads: "int" = None):
    """Adam (Kingma & Ba 2015):
      m = beta1 m + (1 - beta1) g;   v = beta2 v + (1 - beta2) g^2
      w -= learning_rate (m / correction1) / (sqrt(v / correction2) + epsilon)
    Elementwise over [0, count): weights, moments m and v are updated in place."""


@operation()
def sgd(options: SgdOptions, count: int, gradient: "float32[count]", weights: "out float32[count]",
        m: "out float32[count] or None", threads: "int" = None):
    """Stochastic gradient descent:
      g += weight_decay w;   m = momentum m + g;   w -= learning_rate m
    With nesterov w -= learning_rate (g + momentum m) (Sutskever et al., ICML 2013, as PyTorch writes it). Without
    momentum m may be NULL and w -= learning_rate g."""


@operation()
def rmsprop(options: RmspropOptions, count: int, gradient: "float32[count]", weights: "out float32[count]",
            v: "out float32[count]", m: "out float32[count] or None", threads: "int" = None):
    """RMSprop (Tieleman & Hinton 2012):
      v = alpha v + (1 - alpha) g^2;   m = momentum m + g / (sqrt(v) + epsilon);   w -= learning_rate m
    Without momentum m may be NULL."""


@operation()
def adagrad(options: AdagradOptions, count: int, gradient: "float32[count]", weights: "out float32[count]",
            v: "out float32[count]", threads: "int" = None):
    """AdaGrad (Duchi, Hazan & Singer, JMLR 2011):  v += g^2;  w -= learning_rate g / (sqrt(v) + epsilon)."""


@operation()
def adadelta(options: AdadeltaOptions, count: int, gradient: "float32[count]", weights: "out float32[count]",
             v: "out float32[count]", u: "out float32[count]", threads: "int" = None):
    """AdaDelta (Zeiler 2012):
      v = rho v + (1 - rho) g^2;   d = g sqrt(u + epsilon) / sqrt(v + epsilon)
      u = rho u + (1 - rho) d^2;   w -= learning_rate d"""


@operation()
def penalize(count: int, scale: float, l2: float, l1: float, weights: "float32[count]", gradient: "out float32[count]",
             threads: "int" = None):
    """The gradient of a loss with penalties on its weights, l2 |w|^2 / 2 + l1 |w|:
      gradient = scale gradient + l2 w + l1 sign(w)
    with 0 for the sign of 0."""


@operation()
def clip(count: int, scale: float, limit: float, gradient: "out float32[count]", threads: "int" = None):
    """Clips each element of a gradient, with a limit above 0:
      gradient = min(max(scale gradient, -limit), limit)
    A NaN stays."""
