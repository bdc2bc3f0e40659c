//! Every operation of the C library under its own name and with its own arguments, slices in the place of pointers. A
//! slice that has another length than the operation needs is refused, so that none reads or writes beyond one. Nothing
//! may be both an input and an output. An image with strides in memory is a slice from its first element to its last.
//
// examples/bindings/write wrote this file from hourglass_kernels.h and arrays.txt.
use crate::{amount, check, need, need_some, plus, pointer, pointer_mut, size, sized, Activation, Parallel, Refusal};
use crate::{large_span, small_span, Resampling2d};
use hourglass_kernels_sys as sys;
pub use sys::{
    hg_geometry2d as Geometry2d, hg_permutation as Permutation, hg_group_norm as GroupNorm, hg_dense as Dense,
    hg_random_stream as RandomStream, hg_adam_options as AdamOptions, hg_sgd_options as SgdOptions,
    hg_rmsprop_options as RmspropOptions, hg_adagrad_options as AdagradOptions, hg_adadelta_options as AdadeltaOptions,
    hg_gather_filter as GatherFilter, hg_scatter_filter as ScatterFilter,
};

impl Activation {
    pub const LINEAR: Activation = Activation(0);
    pub const RELU: Activation = Activation(1);
    pub const SIGMOID: Activation = Activation(2);
    pub const TANH: Activation = Activation(3);
    pub const SOFTPLUS: Activation = Activation(4);
    pub const ELU: Activation = Activation(5);
    pub const LEAKY_RELU: Activation = Activation(6);
    pub const SELU: Activation = Activation(7);
    pub const RELU6: Activation = Activation(8);
    pub const HARD_SIGMOID: Activation = Activation(9);
    pub const HARD_TANH: Activation = Activation(10);
    pub const GELU: Activation = Activation(16);
    pub const SILU: Activation = Activation(17);
    pub const MISH: Activation = Activation(18);
    pub const HARD_SWISH: Activation = Activation(19);
}

/// y[i] = a(x[i]) for i in [0, count). y may be x.
pub fn activation_forward(
    activation: Activation, count: isize, x: &[f32], y: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    let threads = &parallel.raw();
    need("x", x, count)?;
    need("y", &*y, count)?;
    check(unsafe { sys::hg_activation_forward(activation.0, count, x.as_ptr(), y.as_mut_ptr(), threads) })
}

/// dx[i] = dy[i] * a'(s[i]) with y the activation's output a(s). dx may be dy.
pub fn activation_backward(
    activation: Activation, count: isize, y: &[f32], dy: &[f32], dx: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    let threads = &parallel.raw();
    need("y", y, count)?;
    need("dy", dy, count)?;
    need("dx", &*dx, count)?;
    check(unsafe { sys::hg_activation_backward(
        activation.0, count, y.as_ptr(), dy.as_ptr(), dx.as_mut_ptr(), threads,
    ) })
}

/// dx[i] = dy[i] a'(x[i]) with x the activation's input, for the activations from HG_ACTIVATION_GELU on. dx may be dy.
///   GELU        F(x) + x f(x), f the density (Hendrycks & Gimpel, arXiv:1606.08415)
///   SiLU        S(x) (1 + x (1 - S(x))), S the sigmoid (Elfwing et al., Neural Networks 2018)
///   Mish        t + x (1 - t^2) S(x), t = tanh(ln(1 + exp(x))) (Misra, BMVC 2020)
///   hard swish  x / 3 + 1 / 2 where |x| < 3, else 1 above and 0 below (Howard et al., ICCV 2019)
pub fn activation_backward_input(
    activation: Activation, count: isize, x: &[f32], dy: &[f32], dx: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    let threads = &parallel.raw();
    need("x", x, count)?;
    need("dy", dy, count)?;
    need("dx", &*dx, count)?;
    check(unsafe { sys::hg_activation_backward_input(
        activation.0, count, x.as_ptr(), dy.as_ptr(), dx.as_mut_ptr(), threads,
    ) })
}

/// Parametric ReLU with a slope for each of C channels (He et al., ICCV 2015), of M positions:
///   y[m,c] = x[m,c] > 0 ? x[m,c] : slope[c] x[m,c]
/// x, y: M C; slope: C. y may be x.
pub fn prelu_forward(
    positions: isize, channels: isize, x: &[f32], slope: &[f32], y: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    let threads = &parallel.raw();
    need("x", x, size(&[positions, channels]))?;
    need("slope", slope, channels)?;
    need("y", &*y, size(&[positions, channels]))?;
    check(unsafe { sys::hg_prelu_forward(positions, channels, x.as_ptr(), slope.as_ptr(), y.as_mut_ptr(), threads) })
}

/// The way back through the parametric ReLU:
///   dx[m,c]        = x[m,c] > 0 ? dy[m,c] : slope[c] dy[m,c]
///   dslope[c] (+)= sum over m, in this order, of x[m,c] > 0 ? 0 : x[m,c] dy[m,c]
/// dx: M C or NULL; dslope: C or NULL. dx may be dy.
pub fn prelu_backward(
    positions: isize, channels: isize, x: &[f32], dy: &[f32], slope: &[f32], accumulate: bool, dx: Option<&mut [f32]>,
    dslope: Option<&mut [f32]>, parallel: &Parallel,
) -> Result<(), Refusal> {
    let threads = &parallel.raw();
    need("x", x, size(&[positions, channels]))?;
    need("dy", dy, size(&[positions, channels]))?;
    need("slope", slope, channels)?;
    need_some("dx", dx.as_deref(), size(&[positions, channels]))?;
    need_some("dslope", dslope.as_deref(), channels)?;
    check(unsafe { sys::hg_prelu_backward(
        positions, channels, x.as_ptr(), dy.as_ptr(), slope.as_ptr(), accumulate, pointer_mut(dx), pointer_mut(dslope),
        threads,
    ) })
}

/// Softmax over the C channels of each of M positions:  y[m,c] = exp(x[m,c]) / sum over k of exp(x[m,k]).
/// The greatest x of a position is taken off first. x, y: M C. y may be x.
pub fn softmax_forward(
    positions: isize, channels: isize, x: &[f32], y: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    let threads = &parallel.raw();
    need("x", x, size(&[positions, channels]))?;
    need("y", &*y, size(&[positions, channels]))?;
    check(unsafe { sys::hg_softmax_forward(positions, channels, x.as_ptr(), y.as_mut_ptr(), threads) })
}

/// dx[m,c] = y[m,c] (dy[m,c] - sum over k of y[m,k] dy[m,k]), with y the output. dx may be dy.
pub fn softmax_backward(
    positions: isize, channels: isize, y: &[f32], dy: &[f32], dx: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    let threads = &parallel.raw();
    need("y", y, size(&[positions, channels]))?;
    need("dy", dy, size(&[positions, channels]))?;
    need("dx", &*dx, size(&[positions, channels]))?;
    check(unsafe { sys::hg_softmax_backward(positions, channels, y.as_ptr(), dy.as_ptr(), dx.as_mut_ptr(), threads) })
}

/// The way back where two read one value x[i] = a(s[i]): dx[i] = a'(s[i]) (first[i] + second[i]), the errors of the two
/// readers, in this order. x is ignored where a is linear. dx may be first or second.
pub fn fork_backward(
    activation: Activation, count: isize, x: Option<&[f32]>, first: &[f32], second: &[f32], dx: &mut [f32],
    parallel: &Parallel,
) -> Result<(), Refusal> {
    let threads = &parallel.raw();
    need_some("x", x, count)?;
    need("first", first, count)?;
    need("second", second, count)?;
    need("dx", &*dx, count)?;
    check(unsafe { sys::hg_fork_backward(
        activation.0, count, pointer(x), first.as_ptr(), second.as_ptr(), dx.as_mut_ptr(), threads,
    ) })
}

/// Where two branches meet in a sum: y[i] = a(x[i] + skip[i]). y may be x or skip.
pub fn join_forward(
    activation: Activation, count: isize, x: &[f32], skip: &[f32], y: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    let threads = &parallel.raw();
    need("x", x, count)?;
    need("skip", skip, count)?;
    need("y", &*y, count)?;
    check(unsafe { sys::hg_join_forward(activation.0, count, x.as_ptr(), skip.as_ptr(), y.as_mut_ptr(), threads) })
}

/// Where two branches meet side by side, with M positions: y[m] = [x[m] | skip[m]].
/// x: M channels; skip: M skip_channels; y: M (channels + skip_channels).
pub fn concat_forward(
    positions: isize, channels: isize, skip_channels: isize, x: &[f32], skip: &[f32], y: &mut [f32],
    parallel: &Parallel,
) -> Result<(), Refusal> {
    let threads = &parallel.raw();
    need("x", x, size(&[positions, channels]))?;
    need("skip", skip, size(&[positions, skip_channels]))?;
    need("y", &*y, size(&[positions, plus(channels, skip_channels)]))?;
    check(unsafe { sys::hg_concat_forward(
        positions, channels, skip_channels, x.as_ptr(), skip.as_ptr(), y.as_mut_ptr(), threads,
    ) })
}

/// The way back: [dx[m] | dskip[m]] = dy[m]. dx or dskip may be NULL where nobody wants it.
pub fn concat_backward(
    positions: isize, channels: isize, skip_channels: isize, dy: &[f32], dx: Option<&mut [f32]>,
    dskip: Option<&mut [f32]>, parallel: &Parallel,
) -> Result<(), Refusal> {
    let threads = &parallel.raw();
    need("dy", dy, size(&[positions, plus(channels, skip_channels)]))?;
    need_some("dx", dx.as_deref(), size(&[positions, channels]))?;
    need_some("dskip", dskip.as_deref(), size(&[positions, skip_channels]))?;
    check(unsafe { sys::hg_concat_backward(
        positions, channels, skip_channels, dy.as_ptr(), pointer_mut(dx), pointer_mut(dskip), threads,
    ) })
}

/// NULL, or why the convolution calls refuse this geometry. Extents, filter and strides must be at least 1, padding and
/// samples at least 0; nothing above 2^31, and below 2^40 elements all images, the filter, a large image with its
/// padding, (few large channels) the products of a small image with all taps, and (groups of few channels) an image
/// times the channels of the other's group. Dilation and groups must be at least 0, and groups divide both numbers of
/// channels. Strides in memory must be at least 0 and keep pixels, rows and samples apart, in the order of N H W C, and
/// images with what lies between must be below 2^40 elements. Winograd's form takes filters of 3 x 3 with strides of 1,
/// and filters of 4 x 4 with strides of 2, without dilation and groups.
pub fn conv2d_check(geometry: &Geometry2d) -> Result<(), Refusal> {
    sized(geometry.size, geometry)?;
    check(unsafe { sys::hg_conv2d_check(geometry) })
}

/// How many of them a filter takes; -1 for a geometry that is refused.
pub fn conv2d_prepared_gather_count(geometry: &Geometry2d) -> Result<usize, Refusal> {
    conv2d_check(geometry)?;
    amount(unsafe { sys::hg_conv2d_prepared_gather_count(geometry) })
}

/// How many of them a filter takes; -1 for a geometry that is refused.
pub fn conv2d_prepared_scatter_count(geometry: &Geometry2d) -> Result<usize, Refusal> {
    conv2d_check(geometry)?;
    amount(unsafe { sys::hg_conv2d_prepared_scatter_count(geometry) })
}

/// prepared = filter (R S C K) in the order the gather form reads it. Cost: one read and one write of the filter.
pub fn conv2d_prepare_gather(
    geometry: &Geometry2d, filter: &[f32], prepared: &mut [GatherFilter], parallel: &Parallel,
) -> Result<(), Refusal> {
    conv2d_check(geometry)?;
    let threads = &parallel.raw();
    let g = geometry.groups.max(1);
    let Geometry2d { filter_height: r, filter_width: s, large_channels: c, small_channels: k, .. } = *geometry;
    need("filter", filter, size(&[r, s, c / g, k]))?;
    need("prepared", &*prepared, unsafe { sys::hg_conv2d_prepared_gather_count(geometry) })?;
    check(unsafe { sys::hg_conv2d_prepare_gather(geometry, filter.as_ptr(), prepared.as_mut_ptr(), threads) })
}

/// prepared = filter (R S C K), transposed for the scatter form. Cost: one read and one write of the filter.
pub fn conv2d_prepare_scatter(
    geometry: &Geometry2d, filter: &[f32], prepared: &mut [ScatterFilter], parallel: &Parallel,
) -> Result<(), Refusal> {
    conv2d_check(geometry)?;
    let threads = &parallel.raw();
    let g = geometry.groups.max(1);
    let Geometry2d { filter_height: r, filter_width: s, large_channels: c, small_channels: k, .. } = *geometry;
    need("filter", filter, size(&[r, s, c / g, k]))?;
    need("prepared", &*prepared, unsafe { sys::hg_conv2d_prepared_scatter_count(geometry) })?;
    check(unsafe { sys::hg_conv2d_prepare_scatter(geometry, filter.as_ptr(), prepared.as_mut_ptr(), threads) })
}

/// Floats of scratch of each pass; -1 for a geometry or parallel that is refused. The passes in the gather form want
/// none by the direct algorithm, but for groups of one or few channels.
pub fn conv2d_forward_scratch(geometry: &Geometry2d, parallel: &Parallel) -> Result<usize, Refusal> {
    conv2d_check(geometry)?;
    let threads = &parallel.raw();
    amount(unsafe { sys::hg_conv2d_forward_scratch(geometry, threads) })
}

/// Floats of scratch of each pass; -1 for a geometry or parallel that is refused. The passes in the gather form want
/// none by the direct algorithm, but for groups of one or few channels.
pub fn conv2d_backward_data_scratch(geometry: &Geometry2d, parallel: &Parallel) -> Result<usize, Refusal> {
    conv2d_check(geometry)?;
    let threads = &parallel.raw();
    amount(unsafe { sys::hg_conv2d_backward_data_scratch(geometry, threads) })
}

/// Floats of scratch of each pass; -1 for a geometry or parallel that is refused. The passes in the gather form want
/// none by the direct algorithm, but for groups of one or few channels.
pub fn conv2d_backward_filter_scratch(geometry: &Geometry2d, parallel: &Parallel) -> Result<usize, Refusal> {
    conv2d_check(geometry)?;
    let threads = &parallel.raw();
    amount(unsafe { sys::hg_conv2d_backward_filter_scratch(geometry, threads) })
}

/// Floats of scratch of each pass; -1 for a geometry or parallel that is refused. The passes in the gather form want
/// none by the direct algorithm, but for groups of one or few channels.
pub fn conv2d_transpose_forward_scratch(geometry: &Geometry2d, parallel: &Parallel) -> Result<usize, Refusal> {
    conv2d_check(geometry)?;
    let threads = &parallel.raw();
    amount(unsafe { sys::hg_conv2d_transpose_forward_scratch(geometry, threads) })
}

/// Floats of scratch of each pass; -1 for a geometry or parallel that is refused. The passes in the gather form want
/// none by the direct algorithm, but for groups of one or few channels.
pub fn conv2d_transpose_backward_data_scratch(geometry: &Geometry2d, parallel: &Parallel) -> Result<usize, Refusal> {
    conv2d_check(geometry)?;
    let threads = &parallel.raw();
    amount(unsafe { sys::hg_conv2d_transpose_backward_data_scratch(geometry, threads) })
}

/// Floats of scratch of each pass; -1 for a geometry or parallel that is refused. The passes in the gather form want
/// none by the direct algorithm, but for groups of one or few channels.
pub fn conv2d_transpose_backward_filter_scratch(geometry: &Geometry2d, parallel: &Parallel) -> Result<usize, Refusal> {
    conv2d_check(geometry)?;
    let threads = &parallel.raw();
    amount(unsafe { sys::hg_conv2d_transpose_backward_filter_scratch(geometry, threads) })
}

/// y[n,p,q,k] = a(bias[k] + sum over r, s, c of x[n, pU+r-pad_top, qV+s-pad_left, c] w[r,s,c,k])
/// x: N H W C; gather_filter: prepared; bias: K or NULL; y: N P Q K.
/// Cost by the direct algorithm: 2 N P Q K R S C / G flops less those on padding.
pub fn conv2d_forward(
    geometry: &Geometry2d, x: &[f32], gather_filter: &[GatherFilter], bias: Option<&[f32]>, activation: Activation,
    y: &mut [f32], scratch: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    conv2d_check(geometry)?;
    let threads = &parallel.raw();
    let Geometry2d { small_channels: k, .. } = *geometry;
    need("x", x, large_span(geometry))?;
    need("gather_filter", gather_filter, unsafe { sys::hg_conv2d_prepared_gather_count(geometry) })?;
    need_some("bias", bias, k)?;
    need("y", &*y, small_span(geometry))?;
    need("scratch", &*scratch, unsafe { sys::hg_conv2d_forward_scratch(geometry, threads) })?;
    check(unsafe { sys::hg_conv2d_forward(
        geometry, x.as_ptr(), gather_filter.as_ptr(), pointer(bias), activation.0, y.as_mut_ptr(),
        scratch.as_mut_ptr(), threads,
    ) })
}

/// dx[n,h,w,c] = a'(gate[n,h,w,c]) * sum over the p, q, r, s that meet (h, w), and k, of dy[n,p,q,k] w[r,s,c,k]
/// dy: N P Q K; scatter_filter: prepared; gate: N H W C, the output of the activation that made x (ignored when that is
/// linear); dx: N H W C.
pub fn conv2d_backward_data(
    geometry: &Geometry2d, dy: &[f32], scatter_filter: &[ScatterFilter], gate_activation: Activation,
    gate: Option<&[f32]>, dx: &mut [f32], scratch: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    conv2d_check(geometry)?;
    let threads = &parallel.raw();
    need("dy", dy, small_span(geometry))?;
    need("scatter_filter", scatter_filter, unsafe { sys::hg_conv2d_prepared_scatter_count(geometry) })?;
    need_some("gate", gate, large_span(geometry))?;
    need("dx", &*dx, large_span(geometry))?;
    need("scratch", &*scratch, unsafe { sys::hg_conv2d_backward_data_scratch(geometry, threads) })?;
    check(unsafe { sys::hg_conv2d_backward_data(
        geometry, dy.as_ptr(), scatter_filter.as_ptr(), gate_activation.0, pointer(gate), dx.as_mut_ptr(),
        scratch.as_mut_ptr(), threads,
    ) })
}

/// dfilter[r,s,c,k] (+)= sum over n, p, q of x[n, pU+r-pad_top, qV+s-pad_left, c] dy[n,p,q,k]
/// dbias[k]         (+)= sum over n, p, q of dy[n,p,q,k]
/// x: N H W C; dy: N P Q K; dfilter: R S C K or NULL; dbias: K or NULL. Samples in order, so that calls with accumulate
/// over runs of samples give the bits of one call; only a bias of fewer than 16 channels is summed call by call, in 16
/// partial sums for each channel, and what accumulates is the sum of each call. With C / G < 8 padding is multiplied as
/// zeros, so that an infinity or NaN in dy also reaches the taps that meet padding there.
pub fn conv2d_backward_filter(
    geometry: &Geometry2d, x: &[f32], dy: &[f32], accumulate: bool, dfilter: Option<&mut [f32]>,
    dbias: Option<&mut [f32]>, scratch: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    conv2d_check(geometry)?;
    let threads = &parallel.raw();
    let g = geometry.groups.max(1);
    let Geometry2d { filter_height: r, filter_width: s, large_channels: c, small_channels: k, .. } = *geometry;
    need("x", x, large_span(geometry))?;
    need("dy", dy, small_span(geometry))?;
    need_some("dfilter", dfilter.as_deref(), size(&[r, s, c / g, k]))?;
    need_some("dbias", dbias.as_deref(), k)?;
    need("scratch", &*scratch, unsafe { sys::hg_conv2d_backward_filter_scratch(geometry, threads) })?;
    check(unsafe { sys::hg_conv2d_backward_filter(
        geometry, x.as_ptr(), dy.as_ptr(), accumulate, pointer_mut(dfilter), pointer_mut(dbias), scratch.as_mut_ptr(),
        threads,
    ) })
}

/// x[n,h,w,c] = a(bias[c] + sum over the p, q, r, s that meet (h, w), and k, of y[n,p,q,k] w[r,s,c,k])
/// y: N P Q K; scatter_filter: prepared; bias: C or NULL; x: N H W C.
pub fn conv2d_transpose_forward(
    geometry: &Geometry2d, y: &[f32], scatter_filter: &[ScatterFilter], bias: Option<&[f32]>, activation: Activation,
    x: &mut [f32], scratch: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    conv2d_check(geometry)?;
    let threads = &parallel.raw();
    let Geometry2d { large_channels: c, .. } = *geometry;
    need("y", y, small_span(geometry))?;
    need("scatter_filter", scatter_filter, unsafe { sys::hg_conv2d_prepared_scatter_count(geometry) })?;
    need_some("bias", bias, c)?;
    need("x", &*x, large_span(geometry))?;
    need("scratch", &*scratch, unsafe { sys::hg_conv2d_transpose_forward_scratch(geometry, threads) })?;
    check(unsafe { sys::hg_conv2d_transpose_forward(
        geometry, y.as_ptr(), scatter_filter.as_ptr(), pointer(bias), activation.0, x.as_mut_ptr(),
        scratch.as_mut_ptr(), threads,
    ) })
}

/// dy[n,p,q,k] = a'(gate[n,p,q,k]) * sum over r, s, c of dx[n, pU+r-pad_top, qV+s-pad_left, c] w[r,s,c,k]
/// dx: N H W C; gather_filter: prepared; gate: N P Q K; dy: N P Q K.
pub fn conv2d_transpose_backward_data(
    geometry: &Geometry2d, dx: &[f32], gather_filter: &[GatherFilter], gate_activation: Activation,
    gate: Option<&[f32]>, dy: &mut [f32], scratch: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    conv2d_check(geometry)?;
    let threads = &parallel.raw();
    need("dx", dx, large_span(geometry))?;
    need("gather_filter", gather_filter, unsafe { sys::hg_conv2d_prepared_gather_count(geometry) })?;
    need_some("gate", gate, small_span(geometry))?;
    need("dy", &*dy, small_span(geometry))?;
    need("scratch", &*scratch, unsafe { sys::hg_conv2d_transpose_backward_data_scratch(geometry, threads) })?;
    check(unsafe { sys::hg_conv2d_transpose_backward_data(
        geometry, dx.as_ptr(), gather_filter.as_ptr(), gate_activation.0, pointer(gate), dy.as_mut_ptr(),
        scratch.as_mut_ptr(), threads,
    ) })
}

/// dfilter[r,s,c,k] (+)= sum over n, p, q of dx[n, pU+r-pad_top, qV+s-pad_left, c] y[n,p,q,k]
/// dbias[c]         (+)= sum over n, h, w of dx[n,h,w,c]
/// y: N P Q K; dx: N H W C; dfilter: R S C K or NULL; dbias: C or NULL.
pub fn conv2d_transpose_backward_filter(
    geometry: &Geometry2d, y: &[f32], dx: &[f32], accumulate: bool, dfilter: Option<&mut [f32]>,
    dbias: Option<&mut [f32]>, scratch: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    conv2d_check(geometry)?;
    let threads = &parallel.raw();
    let g = geometry.groups.max(1);
    let Geometry2d { filter_height: r, filter_width: s, large_channels: c, small_channels: k, .. } = *geometry;
    need("y", y, small_span(geometry))?;
    need("dx", dx, large_span(geometry))?;
    need_some("dfilter", dfilter.as_deref(), size(&[r, s, c / g, k]))?;
    need_some("dbias", dbias.as_deref(), c)?;
    need("scratch", &*scratch, unsafe { sys::hg_conv2d_transpose_backward_filter_scratch(geometry, threads) })?;
    check(unsafe { sys::hg_conv2d_transpose_backward_filter(
        geometry, y.as_ptr(), dx.as_ptr(), accumulate, pointer_mut(dfilter), pointer_mut(dbias), scratch.as_mut_ptr(),
        threads,
    ) })
}

/// NULL, or why the pooling calls refuse this geometry: as conv2d_check, and channels must be equal (C = K), R S at
/// most 255, padding below the filter's extent, every window must hold at least one element of the large image, and the
/// algorithm is the direct one.
pub fn max_pool2d_check(geometry: &Geometry2d) -> Result<(), Refusal> {
    sized(geometry.size, geometry)?;
    check(unsafe { sys::hg_max_pool2d_check(geometry) })
}

/// y[n,p,q,k] = max over r, s of x[n, pU+r-pad_top, qV+s-pad_left, k]
/// switches[n,p,q,k] = r S + s of the first maximum in the order of r, s; NaN counts as larger than any number.
/// x: N H W C; y: N P Q K; switches: N P Q K or NULL.
pub fn max_pool2d_forward(
    geometry: &Geometry2d, x: &[f32], y: &mut [f32], switches: Option<&mut [u8]>, parallel: &Parallel,
) -> Result<(), Refusal> {
    max_pool2d_check(geometry)?;
    let threads = &parallel.raw();
    let Geometry2d { samples: n, small_height: p, small_width: q, small_channels: k, .. } = *geometry;
    need("x", x, large_span(geometry))?;
    need("y", &*y, small_span(geometry))?;
    need_some("switches", switches.as_deref(), size(&[n, p, q, k]))?;
    check(unsafe { sys::hg_max_pool2d_forward(geometry, x.as_ptr(), y.as_mut_ptr(), pointer_mut(switches), threads) })
}

/// dx = a'(y) * dy put at the switches, zero elsewhere; windows that overlap add at the shared place in the order of
/// p, q. The element of x at a switch equals y, so that a'(y) is the derivative of the activation that made x, and x
/// need not be read. dy, switches, y (ignored when that activation is linear): N P Q K; dx: N H W C.
pub fn max_pool2d_backward(
    geometry: &Geometry2d, dy: &[f32], switches: &[u8], gate_activation: Activation, y: Option<&[f32]>, dx: &mut [f32],
    parallel: &Parallel,
) -> Result<(), Refusal> {
    max_pool2d_check(geometry)?;
    let threads = &parallel.raw();
    let Geometry2d { samples: n, small_height: p, small_width: q, small_channels: k, .. } = *geometry;
    need("dy", dy, small_span(geometry))?;
    need("switches", switches, size(&[n, p, q, k]))?;
    need_some("y", y, small_span(geometry))?;
    need("dx", &*dx, large_span(geometry))?;
    check(unsafe { sys::hg_max_pool2d_backward(
        geometry, dy.as_ptr(), switches.as_ptr(), gate_activation.0, pointer(y), dx.as_mut_ptr(), threads,
    ) })
}

/// Max-unpooling: x = y put at the switches of a max-pooling of the same geometry, zero elsewhere; windows that overlap
/// add at the shared place. A switch that names no element of its window's part of the image puts nothing.
/// y, switches: N P Q K; x: N H W C.
pub fn max_unpool2d_forward(
    geometry: &Geometry2d, y: &[f32], switches: &[u8], x: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    max_pool2d_check(geometry)?;
    let threads = &parallel.raw();
    let Geometry2d { samples: n, small_height: p, small_width: q, small_channels: k, .. } = *geometry;
    need("y", y, small_span(geometry))?;
    need("switches", switches, size(&[n, p, q, k]))?;
    need("x", &*x, large_span(geometry))?;
    check(unsafe { sys::hg_max_unpool2d_forward(geometry, y.as_ptr(), switches.as_ptr(), x.as_mut_ptr(), threads) })
}

/// dy[n,p,q,k] = dx at the switch of (n, p, q, k), zero for a switch as above. dx: N H W C; switches, dy: N P Q K.
pub fn max_unpool2d_backward(
    geometry: &Geometry2d, dx: &[f32], switches: &[u8], dy: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    max_pool2d_check(geometry)?;
    let threads = &parallel.raw();
    let Geometry2d { samples: n, small_height: p, small_width: q, small_channels: k, .. } = *geometry;
    need("dx", dx, large_span(geometry))?;
    need("switches", switches, size(&[n, p, q, k]))?;
    need("dy", &*dy, small_span(geometry))?;
    check(unsafe { sys::hg_max_unpool2d_backward(geometry, dx.as_ptr(), switches.as_ptr(), dy.as_mut_ptr(), threads) })
}

/// NULL, or why the upsampling calls refuse this geometry: as conv2d_check, and channels must be equal (C = K), the
/// filter as large as the strides, H = P U and W = Q V, and there is no padding.
pub fn upsample2d_check(geometry: &Geometry2d) -> Result<(), Refusal> {
    sized(geometry.size, geometry)?;
    check(unsafe { sys::hg_upsample2d_check(geometry) })
}

/// Upsampling by repetition: x[n,pU+r,qV+s,k] = y[n,p,q,k] for all r < U, s < V.  y: N P Q K; x: N H W C.
pub fn upsample2d_forward(geometry: &Geometry2d, y: &[f32], x: &mut [f32], parallel: &Parallel) -> Result<(), Refusal> {
    upsample2d_check(geometry)?;
    let threads = &parallel.raw();
    need("y", y, small_span(geometry))?;
    need("x", &*x, large_span(geometry))?;
    check(unsafe { sys::hg_upsample2d_forward(geometry, y.as_ptr(), x.as_mut_ptr(), threads) })
}

/// dy[n,p,q,k] = sum over r, s, in this order, of dx[n,pU+r,qV+s,k].  dx: N H W C; dy: N P Q K.
pub fn upsample2d_backward(
    geometry: &Geometry2d, dx: &[f32], dy: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    upsample2d_check(geometry)?;
    let threads = &parallel.raw();
    need("dx", dx, large_span(geometry))?;
    need("dy", &*dy, small_span(geometry))?;
    check(unsafe { sys::hg_upsample2d_backward(geometry, dx.as_ptr(), dy.as_mut_ptr(), threads) })
}

/// Average pooling without padding or overlap, of the geometries that upsample2d_check takes: the adjoint of
/// upsampling times 1 / (U V), a float.
///
///   y[n,p,q,k] = 1 / (U V) * sum over r < U, s < V, in this order, of x[n,pU+r,qV+s,k].  x: N H W C; y: N P Q K.
pub fn average_pool2d_forward(
    geometry: &Geometry2d, x: &[f32], y: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    upsample2d_check(geometry)?;
    let threads = &parallel.raw();
    need("x", x, large_span(geometry))?;
    need("y", &*y, small_span(geometry))?;
    check(unsafe { sys::hg_average_pool2d_forward(geometry, x.as_ptr(), y.as_mut_ptr(), threads) })
}

/// dx[n,pU+r,qV+s,k] = 1 / (U V) * dy[n,p,q,k].  dy: N P Q K; dx: N H W C.
pub fn average_pool2d_backward(
    geometry: &Geometry2d, dy: &[f32], dx: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    upsample2d_check(geometry)?;
    let threads = &parallel.raw();
    need("dy", dy, small_span(geometry))?;
    need("dx", &*dx, large_span(geometry))?;
    check(unsafe { sys::hg_average_pool2d_backward(geometry, dy.as_ptr(), dx.as_mut_ptr(), threads) })
}

/// NULL, or why the call refuses this geometry: extents must be 1 to 2^31, channels at least 1, samples at least 0, taps
/// inside the input, and images below 2^40 elements. Cost: the taps of both axes.
pub fn resample2d_check(geometry: &Resampling2d) -> Result<(), Refusal> {
    check(unsafe { sys::hg_resample2d_check(&**geometry) })
}

/// y[n,p,q,c] = sum over the taps a of row p and b of column q, in this order, of
///              x[n, vertical.input[a], horizontal.input[b], c] (vertical.weight[a] horizontal.weight[b])
/// x: N H W C; y: N P Q C.
pub fn resample2d(geometry: &Resampling2d, x: &[f32], y: &mut [f32], parallel: &Parallel) -> Result<(), Refusal> {
    resample2d_check(geometry)?;
    let threads = &parallel.raw();
    need("x", x, size(&[geometry.samples, geometry.vertical.inputs, geometry.horizontal.inputs, geometry.channels]))?;
    need("y", &*y, size(&[geometry.samples, geometry.vertical.outputs, geometry.horizontal.outputs, geometry.channels]))?;
    check(unsafe { sys::hg_resample2d(&**geometry, x.as_ptr(), y.as_mut_ptr(), threads) })
}

/// NULL, or why the calls refuse this permutation: extents must be at least 1, with fewer than 2^40 elements in all, and
/// the strides must lead to each element of x once.
pub fn permute_check(permutation: &Permutation) -> Result<(), Refusal> {
    sized(permutation.size, permutation)?;
    check(unsafe { sys::hg_permute_check(permutation) })
}

/// y[n, i] = x[n, place of i], and the way back dx[n, place of i] = dy[n, i]. Arrays: N times the elements.
pub fn permute_forward(
    permutation: &Permutation, x: &[f32], y: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    permute_check(permutation)?;
    let threads = &parallel.raw();
    let e = size(&permutation.extents[..permutation.rank as usize]);
    let Permutation { samples: n, .. } = *permutation;
    need("x", x, size(&[n, e]))?;
    need("y", &*y, size(&[n, e]))?;
    check(unsafe { sys::hg_permute_forward(permutation, x.as_ptr(), y.as_mut_ptr(), threads) })
}

/// y[n, i] = x[n, place of i], and the way back dx[n, place of i] = dy[n, i]. Arrays: N times the elements.
pub fn permute_backward(
    permutation: &Permutation, dy: &[f32], dx: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    permute_check(permutation)?;
    let threads = &parallel.raw();
    let e = size(&permutation.extents[..permutation.rank as usize]);
    let Permutation { samples: n, .. } = *permutation;
    need("dy", dy, size(&[n, e]))?;
    need("dx", &*dx, size(&[n, e]))?;
    check(unsafe { sys::hg_permute_backward(permutation, dy.as_ptr(), dx.as_mut_ptr(), threads) })
}

/// NULL, or why the calls below refuse this geometry. Positions, channels and groups must be at least 1, samples at
/// least 0, and there must be fewer than 2^40 elements.
pub fn group_norm_check(geometry: &GroupNorm) -> Result<(), Refusal> {
    sized(geometry.size, geometry)?;
    check(unsafe { sys::hg_group_norm_check(geometry) })
}

/// mean[n,g]     = 1/M sum of x over the group
/// variance[n,g] = 1/M sum of (x - mean)^2 over the group
/// y[n,p,c]      = a((x[n,p,c] - mean) / sqrt(variance + epsilon) weight[c] + bias[c])
/// x, y: N P C; weight: C, NULL for 1; bias: C or NULL; mean, variance: N G. A sum over positions is four chains,
/// position p in chain p mod 4; the channels of a group are then added in order, or in 16 partial sums where there are
/// 16 or more.
pub fn group_norm_forward(
    geometry: &GroupNorm, x: &[f32], weight: Option<&[f32]>, bias: Option<&[f32]>, y: &mut [f32], mean: &mut [f32],
    variance: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    group_norm_check(geometry)?;
    let threads = &parallel.raw();
    let GroupNorm { samples: n, positions: p, channels: c, groups: g, .. } = *geometry;
    need("x", x, size(&[n, p, c]))?;
    need_some("weight", weight, c)?;
    need_some("bias", bias, c)?;
    need("y", &*y, size(&[n, p, c]))?;
    need("mean", &*mean, size(&[n, g]))?;
    need("variance", &*variance, size(&[n, g]))?;
    check(unsafe { sys::hg_group_norm_forward(
        geometry, x.as_ptr(), pointer(weight), pointer(bias), y.as_mut_ptr(), mean.as_mut_ptr(), variance.as_mut_ptr(),
        threads,
    ) })
}

/// y as group_norm_forward makes it, from mean and variance that are given. Batch normalisation uses running ones so
/// after training.
pub fn group_norm_apply(
    geometry: &GroupNorm, x: &[f32], mean: &[f32], variance: &[f32], weight: Option<&[f32]>, bias: Option<&[f32]>,
    y: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    group_norm_check(geometry)?;
    let threads = &parallel.raw();
    let GroupNorm { samples: n, positions: p, channels: c, groups: g, .. } = *geometry;
    need("x", x, size(&[n, p, c]))?;
    need("mean", mean, size(&[n, g]))?;
    need("variance", variance, size(&[n, g]))?;
    need_some("weight", weight, c)?;
    need_some("bias", bias, c)?;
    need("y", &*y, size(&[n, p, c]))?;
    check(unsafe { sys::hg_group_norm_apply(
        geometry, x.as_ptr(), mean.as_ptr(), variance.as_ptr(), pointer(weight), pointer(bias), y.as_mut_ptr(),
        threads,
    ) })
}

/// The way back, with z = (x - mean) / sqrt(variance + epsilon) and averages over the group's elements; dy is the error
/// of what the activation reads:
///   dx             = (weight dy - average of weight dy - z average of weight dy z) / sqrt(variance + epsilon)
///   dweight[c] (+)= sum over n, p of dy z
///   dbias[c]   (+)= sum over n, p of dy
/// Sums over positions are two chains for each sample, position p in chain p mod 2; samples come in order.
/// x, dy: N P C; mean, variance: N G, from the forward pass; dx: N P C or NULL; dweight, dbias: C or NULL.
pub fn group_norm_backward(
    geometry: &GroupNorm, x: &[f32], dy: &[f32], mean: &[f32], variance: &[f32], weight: Option<&[f32]>,
    accumulate: bool, dx: Option<&mut [f32]>, dweight: Option<&mut [f32]>, dbias: Option<&mut [f32]>,
    parallel: &Parallel,
) -> Result<(), Refusal> {
    group_norm_check(geometry)?;
    let threads = &parallel.raw();
    let GroupNorm { samples: n, positions: p, channels: c, groups: g, .. } = *geometry;
    need("x", x, size(&[n, p, c]))?;
    need("dy", dy, size(&[n, p, c]))?;
    need("mean", mean, size(&[n, g]))?;
    need("variance", variance, size(&[n, g]))?;
    need_some("weight", weight, c)?;
    need_some("dx", dx.as_deref(), size(&[n, p, c]))?;
    need_some("dweight", dweight.as_deref(), c)?;
    need_some("dbias", dbias.as_deref(), c)?;
    check(unsafe { sys::hg_group_norm_backward(
        geometry, x.as_ptr(), dy.as_ptr(), mean.as_ptr(), variance.as_ptr(), pointer(weight), accumulate,
        pointer_mut(dx), pointer_mut(dweight), pointer_mut(dbias), threads,
    ) })
}

/// NULL, or why the dense calls refuse this geometry. Inputs and outputs must be at least 1, samples at least 0; inputs
/// and outputs at most 2^31, and below 2^40 elements the weight and each array, rounded up to 16 columns.
pub fn dense_check(geometry: &Dense) -> Result<(), Refusal> {
    sized(geometry.size, geometry)?;
    check(unsafe { sys::hg_dense_check(geometry) })
}

/// Floats of scratch of the forward pass, of the data gradient and of the weight gradient; -1 for a geometry or parallel
/// that is refused.
pub fn dense_forward_scratch(geometry: &Dense, parallel: &Parallel) -> Result<usize, Refusal> {
    dense_check(geometry)?;
    let threads = &parallel.raw();
    amount(unsafe { sys::hg_dense_forward_scratch(geometry, threads) })
}

/// Floats of scratch of the forward pass, of the data gradient and of the weight gradient; -1 for a geometry or parallel
/// that is refused.
pub fn dense_backward_data_scratch(geometry: &Dense, parallel: &Parallel) -> Result<usize, Refusal> {
    dense_check(geometry)?;
    let threads = &parallel.raw();
    amount(unsafe { sys::hg_dense_backward_data_scratch(geometry, threads) })
}

/// Floats of scratch of the forward pass, of the data gradient and of the weight gradient; -1 for a geometry or parallel
/// that is refused.
pub fn dense_backward_weight_scratch(geometry: &Dense, parallel: &Parallel) -> Result<usize, Refusal> {
    dense_check(geometry)?;
    let threads = &parallel.raw();
    amount(unsafe { sys::hg_dense_backward_weight_scratch(geometry, threads) })
}

/// y[n,o] = a(bias[o] + sum over i of x[n,i] w[i,o]).  x: N I; weight: I O; bias: O or NULL; y: N O.
pub fn dense_forward(
    geometry: &Dense, x: &[f32], weight: &[f32], bias: Option<&[f32]>, activation: Activation, y: &mut [f32],
    scratch: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    dense_check(geometry)?;
    let threads = &parallel.raw();
    let Dense { samples: n, inputs: i, outputs: o, .. } = *geometry;
    need("x", x, size(&[n, i]))?;
    need("weight", weight, size(&[i, o]))?;
    need_some("bias", bias, o)?;
    need("y", &*y, size(&[n, o]))?;
    need("scratch", &*scratch, unsafe { sys::hg_dense_forward_scratch(geometry, threads) })?;
    check(unsafe { sys::hg_dense_forward(
        geometry, x.as_ptr(), weight.as_ptr(), pointer(bias), activation.0, y.as_mut_ptr(), scratch.as_mut_ptr(),
        threads,
    ) })
}

/// dx[n,i] = a'(gate[n,i]) * sum over o of dy[n,o] w[i,o].  dy: N O; weight: I O; gate, dx: N I.
pub fn dense_backward_data(
    geometry: &Dense, dy: &[f32], weight: &[f32], gate_activation: Activation, gate: Option<&[f32]>, dx: &mut [f32],
    scratch: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    dense_check(geometry)?;
    let threads = &parallel.raw();
    let Dense { samples: n, outputs: o, inputs: i, .. } = *geometry;
    need("dy", dy, size(&[n, o]))?;
    need("weight", weight, size(&[i, o]))?;
    need_some("gate", gate, size(&[n, i]))?;
    need("dx", &*dx, size(&[n, i]))?;
    need("scratch", &*scratch, unsafe { sys::hg_dense_backward_data_scratch(geometry, threads) })?;
    check(unsafe { sys::hg_dense_backward_data(
        geometry, dy.as_ptr(), weight.as_ptr(), gate_activation.0, pointer(gate), dx.as_mut_ptr(),
        scratch.as_mut_ptr(), threads,
    ) })
}

/// dweight[i,o] (+)= sum over n of x[n,i] dy[n,o] for the rows i in [first_input, last_input), samples in order;
/// 0 <= first_input <= last_input <= I. x: N I; dy: N O; dweight: I O, of which only those rows are written.
pub fn dense_backward_weight(
    geometry: &Dense, first_input: isize, last_input: isize, x: &[f32], dy: &[f32], accumulate: bool,
    dweight: &mut [f32], scratch: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    dense_check(geometry)?;
    let threads = &parallel.raw();
    let Dense { samples: n, inputs: i, outputs: o, .. } = *geometry;
    need("x", x, size(&[n, i]))?;
    need("dy", dy, size(&[n, o]))?;
    need("dweight", &*dweight, size(&[i, o]))?;
    need("scratch", &*scratch, unsafe { sys::hg_dense_backward_weight_scratch(geometry, threads) })?;
    check(unsafe { sys::hg_dense_backward_weight(
        geometry, first_input, last_input, x.as_ptr(), dy.as_ptr(), accumulate, dweight.as_mut_ptr(),
        scratch.as_mut_ptr(), threads,
    ) })
}

/// dbias[o] (+)= sum over n of dy[n,o], samples in order.  dy: N O; dbias: O.
pub fn dense_backward_bias(
    geometry: &Dense, dy: &[f32], accumulate: bool, dbias: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    dense_check(geometry)?;
    let threads = &parallel.raw();
    let Dense { samples: n, outputs: o, .. } = *geometry;
    need("dy", dy, size(&[n, o]))?;
    need("dbias", &*dbias, o)?;
    check(unsafe { sys::hg_dense_backward_bias(geometry, dy.as_ptr(), accumulate, dbias.as_mut_ptr(), threads) })
}

/// out[j,i] = in[i,j], of a matrix of rows x columns: the weight of a dense layer that is tied to another.
pub fn transpose(
    rows: isize, columns: isize, in_: &[f32], out: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    let threads = &parallel.raw();
    need("in", in_, size(&[rows, columns]))?;
    need("out", &*out, size(&[columns, rows]))?;
    check(unsafe { sys::hg_transpose(rows, columns, in_.as_ptr(), out.as_mut_ptr(), threads) })
}

/// Bernoulli likelihood of targets in [0, 1] from logits l, in nats:
///   loss[n] = sum over j of max(l, 0) - l t + log(1 + exp(-|l|));   dlogits = 1 / (1 + exp(-l)) - t
/// logits, targets, dlogits: N D; loss: N or NULL; dlogits may be NULL or equal to logits.
pub fn bernoulli_logits(
    samples: isize, count: isize, logits: &[f32], targets: &[f32], loss: Option<&mut [f32]>,
    dlogits: Option<&mut [f32]>, parallel: &Parallel,
) -> Result<(), Refusal> {
    let threads = &parallel.raw();
    need("logits", logits, size(&[samples, count]))?;
    need("targets", targets, size(&[samples, count]))?;
    need_some("loss", loss.as_deref(), samples)?;
    need_some("dlogits", dlogits.as_deref(), size(&[samples, count]))?;
    check(unsafe { sys::hg_bernoulli_logits(
        samples, count, logits.as_ptr(), targets.as_ptr(), pointer_mut(loss), pointer_mut(dlogits), threads,
    ) })
}

/// Squared error:
///   loss[n] = sum over j of (y - t)^2;   dy = 2 (y - t)
/// Shapes and aliasing as bernoulli_logits has them.
pub fn squared_error(
    samples: isize, count: isize, y: &[f32], targets: &[f32], loss: Option<&mut [f32]>, dy: Option<&mut [f32]>,
    parallel: &Parallel,
) -> Result<(), Refusal> {
    let threads = &parallel.raw();
    need("y", y, size(&[samples, count]))?;
    need("targets", targets, size(&[samples, count]))?;
    need_some("loss", loss.as_deref(), samples)?;
    need_some("dy", dy.as_deref(), size(&[samples, count]))?;
    check(unsafe { sys::hg_squared_error(
        samples, count, y.as_ptr(), targets.as_ptr(), pointer_mut(loss), pointer_mut(dy), threads,
    ) })
}

/// Absolute error:
///   loss[n] = sum over j of |y - t|;   dy = the sign of y - t, 0 where they are equal
/// Shapes and aliasing as bernoulli_logits has them.
pub fn absolute_error(
    samples: isize, count: isize, y: &[f32], targets: &[f32], loss: Option<&mut [f32]>, dy: Option<&mut [f32]>,
    parallel: &Parallel,
) -> Result<(), Refusal> {
    let threads = &parallel.raw();
    need("y", y, size(&[samples, count]))?;
    need("targets", targets, size(&[samples, count]))?;
    need_some("loss", loss.as_deref(), samples)?;
    need_some("dy", dy.as_deref(), size(&[samples, count]))?;
    check(unsafe { sys::hg_absolute_error(
        samples, count, y.as_ptr(), targets.as_ptr(), pointer_mut(loss), pointer_mut(dy), threads,
    ) })
}

/// Huber's loss (1964) with threshold 1, d = y - t:
///   loss[n] = sum over j of d^2 / 2 where |d| <= 1, else |d| - 1/2;   dy = d clamped to [-1, 1]
/// Shapes and aliasing as bernoulli_logits has them.
pub fn huber_error(
    samples: isize, count: isize, y: &[f32], targets: &[f32], loss: Option<&mut [f32]>, dy: Option<&mut [f32]>,
    parallel: &Parallel,
) -> Result<(), Refusal> {
    let threads = &parallel.raw();
    need("y", y, size(&[samples, count]))?;
    need("targets", targets, size(&[samples, count]))?;
    need_some("loss", loss.as_deref(), samples)?;
    need_some("dy", dy.as_deref(), size(&[samples, count]))?;
    check(unsafe { sys::hg_huber_error(
        samples, count, y.as_ptr(), targets.as_ptr(), pointer_mut(loss), pointer_mut(dy), threads,
    ) })
}

/// ln cosh, d = y - t:
///   loss[n] = sum over j of ln(cosh(d));   dy = tanh(d)
/// Shapes and aliasing as bernoulli_logits has them.
pub fn log_cosh_error(
    samples: isize, count: isize, y: &[f32], targets: &[f32], loss: Option<&mut [f32]>, dy: Option<&mut [f32]>,
    parallel: &Parallel,
) -> Result<(), Refusal> {
    let threads = &parallel.raw();
    need("y", y, size(&[samples, count]))?;
    need("targets", targets, size(&[samples, count]))?;
    need_some("loss", loss.as_deref(), samples)?;
    need_some("dy", dy.as_deref(), size(&[samples, count]))?;
    check(unsafe { sys::hg_log_cosh_error(
        samples, count, y.as_ptr(), targets.as_ptr(), pointer_mut(loss), pointer_mut(dy), threads,
    ) })
}

/// Poisson likelihood of counts t >= 0 from the logarithms l of their rates, in nats:
///   loss[n] = sum over j of exp(l) - t l + ln(t!);   dlog_rates = exp(l) - t
/// with Gamma(t + 1) for t!. Shapes and aliasing as bernoulli_logits has them.
pub fn poisson(
    samples: isize, count: isize, log_rates: &[f32], targets: &[f32], loss: Option<&mut [f32]>,
    dlog_rates: Option<&mut [f32]>, parallel: &Parallel,
) -> Result<(), Refusal> {
    let threads = &parallel.raw();
    need("log_rates", log_rates, size(&[samples, count]))?;
    need("targets", targets, size(&[samples, count]))?;
    need_some("loss", loss.as_deref(), samples)?;
    need_some("dlog_rates", dlog_rates.as_deref(), size(&[samples, count]))?;
    check(unsafe { sys::hg_poisson(
        samples, count, log_rates.as_ptr(), targets.as_ptr(), pointer_mut(loss), pointer_mut(dlog_rates), threads,
    ) })
}

/// Multinomial likelihood of counts t >= 0 that add up to N, from logits l, in nats, with p = exp(l) / sum of exp(l):
///   loss[n] = sum over j of (ln(t!) - t ln p) - ln(N!);   dlogits = N p - t
/// over the targets that are not missing. Shapes and aliasing as bernoulli_logits has them.
pub fn multinomial(
    samples: isize, count: isize, logits: &[f32], targets: &[f32], loss: Option<&mut [f32]>,
    dlogits: Option<&mut [f32]>, parallel: &Parallel,
) -> Result<(), Refusal> {
    let threads = &parallel.raw();
    need("logits", logits, size(&[samples, count]))?;
    need("targets", targets, size(&[samples, count]))?;
    need_some("loss", loss.as_deref(), samples)?;
    need_some("dlogits", dlogits.as_deref(), size(&[samples, count]))?;
    check(unsafe { sys::hg_multinomial(
        samples, count, logits.as_ptr(), targets.as_ptr(), pointer_mut(loss), pointer_mut(dlogits), threads,
    ) })
}

/// Gaussian likelihood of a given variance v, in nats:
///   loss[n] = sum over j of (y - t)^2 / (2 v) + log(2 pi v) / 2;   dy = (y - t) / v
/// variance: v and 2 pi v must be normal and finite. Shapes and aliasing as bernoulli_logits has them.
pub fn gaussian(
    samples: isize, count: isize, variance: f32, y: &[f32], targets: &[f32], loss: Option<&mut [f32]>,
    dy: Option<&mut [f32]>, parallel: &Parallel,
) -> Result<(), Refusal> {
    let threads = &parallel.raw();
    need("y", y, size(&[samples, count]))?;
    need("targets", targets, size(&[samples, count]))?;
    need_some("loss", loss.as_deref(), samples)?;
    need_some("dy", dy.as_deref(), size(&[samples, count]))?;
    check(unsafe { sys::hg_gaussian(
        samples, count, variance, y.as_ptr(), targets.as_ptr(), pointer_mut(loss), pointer_mut(dy), threads,
    ) })
}

/// Gaussian likelihood whose variances are put out too, in nats; each pixel of heads holds C means m, then C
/// log-variances lv:
///   loss[n] = sum of ((m - t)^2 exp(-lv) + lv + log(2 pi)) / 2
///   dm = (m - t) exp(-lv);   dlv = (1 - (m - t)^2 exp(-lv)) / 2,  0 where lv was clamped
/// heads, dheads: N P 2C; targets: N P C; loss: N or NULL; dheads may be NULL or equal to heads.
pub fn gaussian_heads(
    samples: isize, pixels: isize, channels: isize, heads: &[f32], targets: &[f32], loss: Option<&mut [f32]>,
    dheads: Option<&mut [f32]>, parallel: &Parallel,
) -> Result<(), Refusal> {
    let threads = &parallel.raw();
    need("heads", heads, size(&[samples, pixels, size(&[2, channels])]))?;
    need("targets", targets, size(&[samples, pixels, channels]))?;
    need_some("loss", loss.as_deref(), samples)?;
    need_some("dheads", dheads.as_deref(), size(&[samples, pixels, size(&[2, channels])]))?;
    check(unsafe { sys::hg_gaussian_heads(
        samples, pixels, channels, heads.as_ptr(), targets.as_ptr(), pointer_mut(loss), pointer_mut(dheads), threads,
    ) })
}

/// Negative binomial likelihood of counts t >= 0, in nats; each pixel of heads holds C logarithms l of means m, then C
/// logarithms lr of dispersions r, clamped as log-variances are; the variance is m + m^2 / r:
///   loss[n] = sum of ln Gamma(r) + ln(t!) - ln Gamma(t + r) - r ln(r / (r + m)) - t ln(m / (r + m))
///   dl = r (m - t) / (r + m)
///   dlr = r (digamma(r) - digamma(t + r) + ln((r + m) / r) + (t - m) / (r + m)),  0 where lr was clamped
/// Shapes and aliasing as gaussian_heads has them.
pub fn negative_binomial(
    samples: isize, pixels: isize, channels: isize, heads: &[f32], targets: &[f32], loss: Option<&mut [f32]>,
    dheads: Option<&mut [f32]>, parallel: &Parallel,
) -> Result<(), Refusal> {
    let threads = &parallel.raw();
    need("heads", heads, size(&[samples, pixels, size(&[2, channels])]))?;
    need("targets", targets, size(&[samples, pixels, channels]))?;
    need_some("loss", loss.as_deref(), samples)?;
    need_some("dheads", dheads.as_deref(), size(&[samples, pixels, size(&[2, channels])]))?;
    check(unsafe { sys::hg_negative_binomial(
        samples, pixels, channels, heads.as_ptr(), targets.as_ptr(), pointer_mut(loss), pointer_mut(dheads), threads,
    ) })
}

/// Discretized logistic likelihood of the 256 levels 0, 1/255 ... 1, in nats; each pixel of heads holds C means m, then
/// C logarithms ls of scales s, clamped as log-variances are:
///   loss[n] = -sum of ln(F(t + 1/510) - F(t - 1/510)),   F(x) = 1 / (1 + exp(-(x - m) / s))
/// with F = 0 below the level 0 and F = 1 above the level 1; ls has no gradient where it was clamped. Shapes and
/// aliasing as gaussian_heads has them.
pub fn discretized_logistic(
    samples: isize, pixels: isize, channels: isize, heads: &[f32], targets: &[f32], loss: Option<&mut [f32]>,
    dheads: Option<&mut [f32]>, parallel: &Parallel,
) -> Result<(), Refusal> {
    let threads = &parallel.raw();
    need("heads", heads, size(&[samples, pixels, size(&[2, channels])]))?;
    need("targets", targets, size(&[samples, pixels, channels]))?;
    need_some("loss", loss.as_deref(), samples)?;
    need_some("dheads", dheads.as_deref(), size(&[samples, pixels, size(&[2, channels])]))?;
    check(unsafe { sys::hg_discretized_logistic(
        samples, pixels, channels, heads.as_ptr(), targets.as_ptr(), pointer_mut(loss), pointer_mut(dheads), threads,
    ) })
}

/// Categorical likelihood of a label from logits l, in nats (softmax cross-entropy):
///   loss[n] = log(sum over j of exp(l[n,j])) - l[n,label];   dlogits[n,j] = exp(l[n,j]) / sum, less 1 for the label
/// logits, dlogits: N K; labels: N, each of 0 to K - 1; loss: N or NULL; dlogits may be NULL or equal to logits.
pub fn softmax_cross_entropy(
    samples: isize, classes: isize, logits: &[f32], labels: &[i32], loss: Option<&mut [f32]>,
    dlogits: Option<&mut [f32]>, parallel: &Parallel,
) -> Result<(), Refusal> {
    let threads = &parallel.raw();
    need("logits", logits, size(&[samples, classes]))?;
    need("labels", labels, samples)?;
    need_some("loss", loss.as_deref(), samples)?;
    need_some("dlogits", dlogits.as_deref(), size(&[samples, classes]))?;
    check(unsafe { sys::hg_softmax_cross_entropy(
        samples, classes, logits.as_ptr(), labels.as_ptr(), pointer_mut(loss), pointer_mut(dlogits), threads,
    ) })
}

/// NULL, or why ssim refuses this geometry: samples below 0, height or width below HG_SSIM_WINDOW, channels below 1,
/// 2^40 elements or more.
pub fn ssim_check(samples: isize, height: isize, width: isize, channels: isize) -> Result<(), Refusal> {
    check(unsafe { sys::hg_ssim_check(samples, height, width, channels) })
}

/// Floats of scratch of ssim; -1 for a geometry or parallel that is refused.
pub fn ssim_scratch(
    samples: isize, height: isize, width: isize, channels: isize, parallel: &Parallel,
) -> Result<usize, Refusal> {
    ssim_check(samples, height, width, channels)?;
    let threads = &parallel.raw();
    amount(unsafe { sys::hg_ssim_scratch(samples, height, width, channels, threads) })
}

/// Structural dissimilarity of images in [0, 1] (Wang, Bovik, Sheikh & Simoncelli, "Image quality assessment: from error
/// visibility to structural similarity", IEEE Transactions on Image Processing 13, 2004), summed over elements:
///   loss[n] = H W C (1 - mean over channels and windows of s)
///   s = (2 mt my + C1) (2 cty + C2) / ((mt^2 + my^2 + C1) (vt + vy + C2)),   C1 = 0.01^2, C2 = 0.03^2
/// with the means mt, my, variances vt, vy and covariance cty of a window, weighed with a Gaussian of deviation 1.5; all
/// windows within the image.  dy = its derivative.  Computed in double and rounded once; window i of a row, channels
/// counted, in partial sum i mod 16.  y, targets, dy: N H W C; loss: N or NULL; dy may be NULL or equal to y.
pub fn ssim(
    samples: isize, height: isize, width: isize, channels: isize, y: &[f32], targets: &[f32], loss: Option<&mut [f32]>,
    dy: Option<&mut [f32]>, scratch: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    ssim_check(samples, height, width, channels)?;
    let threads = &parallel.raw();
    need("y", y, size(&[samples, height, width, channels]))?;
    need("targets", targets, size(&[samples, height, width, channels]))?;
    need_some("loss", loss.as_deref(), samples)?;
    need_some("dy", dy.as_deref(), size(&[samples, height, width, channels]))?;
    need("scratch", &*scratch, unsafe { sys::hg_ssim_scratch(samples, height, width, channels, threads) })?;
    check(unsafe { sys::hg_ssim(
        samples, height, width, channels, y.as_ptr(), targets.as_ptr(), pointer_mut(loss), pointer_mut(dy),
        scratch.as_mut_ptr(), threads,
    ) })
}

/// Floats of scratch of ms_ssim; -1 for a geometry (as of ssim) or parallel that is refused.
pub fn ms_ssim_scratch(
    samples: isize, height: isize, width: isize, channels: isize, parallel: &Parallel,
) -> Result<usize, Refusal> {
    ssim_check(samples, height, width, channels)?;
    let threads = &parallel.raw();
    amount(unsafe { sys::hg_ms_ssim_scratch(samples, height, width, channels, threads) })
}

/// Multi-scale structural dissimilarity of images in [0, 1] (Wang, Simoncelli & Bovik, "Multi-scale structural
/// similarity for image quality assessment", Asilomar 2003), summed over elements:
///   loss[n] = H W C (1 - product over the scales j of m_j^w_j)
/// Each scale has the means of 2 x 2 pixels of the one before, a row or column that is left over left out: as many
/// scales as windows fit, at most 5. m_j is the mean over channels and windows of s at the last scale, and of its factor
/// (2 cty + C2) / (vt + vy + C2) at the others; w is 0.0448, 0.2856, 0.3001, 0.2363, 0.1333, of fewer scales over their
/// sum. Where a mean is not above 0 the product is 0, without a derivative. Shapes and aliasing as ssim has them.
pub fn ms_ssim(
    samples: isize, height: isize, width: isize, channels: isize, y: &[f32], targets: &[f32], loss: Option<&mut [f32]>,
    dy: Option<&mut [f32]>, scratch: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    ssim_check(samples, height, width, channels)?;
    let threads = &parallel.raw();
    need("y", y, size(&[samples, height, width, channels]))?;
    need("targets", targets, size(&[samples, height, width, channels]))?;
    need_some("loss", loss.as_deref(), samples)?;
    need_some("dy", dy.as_deref(), size(&[samples, height, width, channels]))?;
    need("scratch", &*scratch, unsafe { sys::hg_ms_ssim_scratch(samples, height, width, channels, threads) })?;
    check(unsafe { sys::hg_ms_ssim(
        samples, height, width, channels, y.as_ptr(), targets.as_ptr(), pointer_mut(loss), pointer_mut(dy),
        scratch.as_mut_ptr(), threads,
    ) })
}

/// Reparametrised Gaussian latent (Kingma & Welling 2014). heads[n] holds Z means, then Z log-variances:
///   z = mean + exp(lv / 2) noise;   kl[n] = 1/2 sum over j of mean^2 + exp(lv) - 1 - lv,  lv clamped as above
/// heads: N 2Z; noise: N Z, NULL for z = mean; z: N Z; kl: N or NULL.
pub fn gaussian_latent_forward(
    samples: isize, units: isize, heads: &[f32], noise: Option<&[f32]>, z: &mut [f32], kl: Option<&mut [f32]>,
    parallel: &Parallel,
) -> Result<(), Refusal> {
    let threads = &parallel.raw();
    need("heads", heads, size(&[samples, size(&[2, units])]))?;
    need_some("noise", noise, size(&[samples, units]))?;
    need("z", &*z, size(&[samples, units]))?;
    need_some("kl", kl.as_deref(), samples)?;
    check(unsafe { sys::hg_gaussian_latent_forward(
        samples, units, heads.as_ptr(), pointer(noise), z.as_mut_ptr(), pointer_mut(kl), threads,
    ) })
}

/// dmean = dz + beta mean;   dlv = dz noise exp(lv / 2) / 2 + beta (exp(lv) - 1) / 2,  0 where lv was clamped.
/// heads, dheads: N 2Z; noise: N Z or NULL; dz: N Z.
pub fn gaussian_latent_backward(
    samples: isize, units: isize, heads: &[f32], noise: Option<&[f32]>, dz: &[f32], beta: f32, dheads: &mut [f32],
    parallel: &Parallel,
) -> Result<(), Refusal> {
    let threads = &parallel.raw();
    need("heads", heads, size(&[samples, size(&[2, units])]))?;
    need_some("noise", noise, size(&[samples, units]))?;
    need("dz", dz, size(&[samples, units]))?;
    need("dheads", &*dheads, size(&[samples, size(&[2, units])]))?;
    check(unsafe { sys::hg_gaussian_latent_backward(
        samples, units, heads.as_ptr(), pointer(noise), dz.as_ptr(), beta, dheads.as_mut_ptr(), threads,
    ) })
}

/// Free bits (Kingma et al., "Improved variational inference with inverse autoregressive flow", NIPS 2016, eq. 15): the
/// way back through beta N sum over j of max(free_bits, KL_j), where KL_j is what unit j adds to kl, in the mean over N.
/// It belongs after gaussian_latent_backward with a beta of 0. In all samples of units with KL_j > free_bits:
///   dmean += beta mean;   dlv += beta (exp(lv) - 1) / 2,  nothing where lv was clamped.
/// heads, dheads: N 2Z.
pub fn gaussian_free_bits(
    samples: isize, units: isize, heads: &[f32], free_bits: f32, beta: f32, dheads: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    let threads = &parallel.raw();
    need("heads", heads, size(&[samples, size(&[2, units])]))?;
    need("dheads", &*dheads, size(&[samples, size(&[2, units])]))?;
    check(unsafe { sys::hg_gaussian_free_bits(
        samples, units, heads.as_ptr(), free_bits, beta, dheads.as_mut_ptr(), threads,
    ) })
}

/// What a sample z of the latent adds to -log w of its importance weight w = p(x | z) p(z) / q(z | x):
///   ratio[n] = log q(z[n] | x) - log p(z[n]) = 1/2 sum over j of z^2 - noise^2 - lv,  lv clamped as above
/// heads: N 2Z; noise, z: N Z as gaussian_latent_forward took and wrote them; ratio: N.
pub fn gaussian_log_ratio(
    samples: isize, units: isize, heads: &[f32], noise: &[f32], z: &[f32], ratio: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    let threads = &parallel.raw();
    need("heads", heads, size(&[samples, size(&[2, units])]))?;
    need("noise", noise, size(&[samples, units]))?;
    need("z", z, size(&[samples, units]))?;
    need("ratio", &*ratio, samples)?;
    check(unsafe { sys::hg_gaussian_log_ratio(
        samples, units, heads.as_ptr(), noise.as_ptr(), z.as_ptr(), ratio.as_mut_ptr(), threads,
    ) })
}

/// The way back through sum over n of <z[n], dz[n]> + weights[n] ratio[n]:
///   dmean = dz + weights z;   dlv = ((dz + weights z) noise exp(lv / 2) - weights) / 2,  0 where lv was clamped
/// heads, dheads: N 2Z; noise, z, dz: N Z; weights: N.
pub fn gaussian_log_ratio_backward(
    samples: isize, units: isize, heads: &[f32], noise: &[f32], z: &[f32], weights: &[f32], dz: &[f32],
    dheads: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    let threads = &parallel.raw();
    need("heads", heads, size(&[samples, size(&[2, units])]))?;
    need("noise", noise, size(&[samples, units]))?;
    need("z", z, size(&[samples, units]))?;
    need("weights", weights, samples)?;
    need("dz", dz, size(&[samples, units]))?;
    need("dheads", &*dheads, size(&[samples, size(&[2, units])]))?;
    check(unsafe { sys::hg_gaussian_log_ratio_backward(
        samples, units, heads.as_ptr(), noise.as_ptr(), z.as_ptr(), weights.as_ptr(), dz.as_ptr(), dheads.as_mut_ptr(),
        threads,
    ) })
}

/// Importance-weighted bound of log p(x) from K samples of each of I latents (Burda et al. 2016), in nats:
///   bound[i] = log(1/K sum over k of w[i,k]),   log w = -(loss + ratio);   weights[i,k] = w[i,k] / sum over k of w[i,k]
/// and the errors dy of the loss become those of -bound, each row times its weight.
/// loss, ratio, weights: I K; bound: I; dy: I K D or NULL.
pub fn importance_bound(
    images: isize, draws: isize, count: isize, loss: &[f32], ratio: &[f32], bound: &mut [f32], weights: &mut [f32],
    dy: Option<&mut [f32]>, parallel: &Parallel,
) -> Result<(), Refusal> {
    let threads = &parallel.raw();
    need("loss", loss, size(&[images, draws]))?;
    need("ratio", ratio, size(&[images, draws]))?;
    need("bound", &*bound, images)?;
    need("weights", &*weights, size(&[images, draws]))?;
    need_some("dy", dy.as_deref(), size(&[images, draws, count]))?;
    check(unsafe { sys::hg_importance_bound(
        images, draws, count, loss.as_ptr(), ratio.as_ptr(), bound.as_mut_ptr(), weights.as_mut_ptr(), pointer_mut(dy),
        threads,
    ) })
}

/// out[i] = 32 random bits, values [first, first + count) of the stream, which after 2^34 values starts anew.
pub fn random_bits(stream: &RandomStream, first: isize, count: isize, out: &mut [u32]) -> Result<(), Refusal> {
    sized(stream.size, stream)?;
    need("out", &*out, count)?;
    check(unsafe { sys::hg_random_bits(stream, first, count, out.as_mut_ptr()) })
}

/// out[i] = ((bits >> 9) + 1/2) 2^-23, uniform in the open interval (0, 1).
pub fn random_uniform(stream: &RandomStream, first: isize, count: isize, out: &mut [f32]) -> Result<(), Refusal> {
    sized(stream.size, stream)?;
    need("out", &*out, count)?;
    check(unsafe { sys::hg_random_uniform(stream, first, count, out.as_mut_ptr()) })
}

/// Standard normal values by Box and Muller (1958): of each pair of uniforms (u, v), values 2i and 2i + 1 of the stream,
/// out is sqrt(-2 ln u) cos(2 pi v) and sqrt(-2 ln u) sin(2 pi v). first must be even.
pub fn random_normal(stream: &RandomStream, first: isize, count: isize, out: &mut [f32]) -> Result<(), Refusal> {
    sized(stream.size, stream)?;
    need("out", &*out, count)?;
    check(unsafe { sys::hg_random_normal(stream, first, count, out.as_mut_ptr()) })
}

/// Words of 32 bits that tell of `count` values which were kept: bit j mod 32 of word j div 32, the rest zero.
/// -1 for a count below 0.
pub fn dropout_mask_count(count: isize) -> Result<usize, Refusal> {
    amount(unsafe { sys::hg_dropout_mask_count(count) })
}

/// Inverted dropout (Srivastava et al., JMLR 2014):
///   y[n,j] = x[n,j] / (1 - rate) where the value is kept, else 0
/// with 0 <= rate < 1. Sample n draws from the stream of sample stream->sample + n, and value j is kept where its 32
/// random bits, read as a number, are at least rate 2^32 rounded.
/// x, y: N x count; mask: N x dropout_mask_count(count).
///
/// input_activation made x. A bit of the mask is set where the value is kept and, below a ReLU, x > 0: then the way
/// back needs neither the random numbers again, which take four times its own work, nor x, which is 32 times as
/// large.
pub fn dropout_forward(
    stream: &RandomStream, rate: f32, samples: isize, count: isize, input_activation: Activation, x: &[f32],
    y: &mut [f32], mask: &mut [u32], parallel: &Parallel,
) -> Result<(), Refusal> {
    sized(stream.size, stream)?;
    let threads = &parallel.raw();
    need("x", x, size(&[samples, count]))?;
    need("y", &*y, size(&[samples, count]))?;
    need("mask", &*mask, size(&[samples, unsafe { sys::hg_dropout_mask_count(count) }]))?;
    check(unsafe { sys::hg_dropout_forward(
        stream, rate, samples, count, input_activation.0, x.as_ptr(), y.as_mut_ptr(), mask.as_mut_ptr(), threads,
    ) })
}

/// dx[n,j] = a'(x[n,j]) dy[n,j] / (1 - rate) where bit j of the mask is set, else 0, with a the input's activation.
/// x: N x count, ignored where a is linear or ReLU; dx may be dy.
pub fn dropout_backward(
    rate: f32, samples: isize, count: isize, dy: &[f32], mask: &[u32], input_activation: Activation, x: Option<&[f32]>,
    dx: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    let threads = &parallel.raw();
    need("dy", dy, size(&[samples, count]))?;
    need("mask", mask, size(&[samples, unsafe { sys::hg_dropout_mask_count(count) }]))?;
    need_some("x", x, size(&[samples, count]))?;
    need("dx", &*dx, size(&[samples, count]))?;
    check(unsafe { sys::hg_dropout_backward(
        rate, samples, count, dy.as_ptr(), mask.as_ptr(), input_activation.0, pointer(x), dx.as_mut_ptr(), threads,
    ) })
}

/// y[n,j] = x[n,j] + deviation e[n,j], e[n,j] being normal value j (random_normal) of the stream of sample
/// stream->sample + n. x, y: N x count; y may be x.
pub fn gaussian_noise(
    stream: &RandomStream, deviation: f32, samples: isize, count: isize, x: &[f32], y: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    sized(stream.size, stream)?;
    let threads = &parallel.raw();
    need("x", x, size(&[samples, count]))?;
    need("y", &*y, size(&[samples, count]))?;
    check(unsafe { sys::hg_gaussian_noise(stream, deviation, samples, count, x.as_ptr(), y.as_mut_ptr(), threads) })
}

/// sum[i] = ((shards[0][i] + shards[1][i]) + shards[2][i]) + ...
/// or, with accumulate, ((sum[i] + shards[0][i]) + shards[1][i]) + ..., where shards[s] = gradients + s * stride; there
/// is at least one. Without accumulate sum may be one of the shards.
pub fn sum_shards(
    count: isize, shards: isize, stride: isize, gradients: &[f32], accumulate: bool, sum: &mut [f32],
    parallel: &Parallel,
) -> Result<(), Refusal> {
    let threads = &parallel.raw();
    need("gradients", gradients, plus(size(&[shards.saturating_sub(1), stride]), count))?;
    need("sum", &*sum, count)?;
    check(unsafe { sys::hg_sum_shards(
        count, shards, stride, gradients.as_ptr(), accumulate, sum.as_mut_ptr(), threads,
    ) })
}

/// Index of the first element that is infinite or NaN, or -1. A count below 1 is none.
pub fn first_nonfinite(count: isize, x: &[f32]) -> Result<isize, Refusal> {
    need("x", x, count)?;
    Ok(unsafe { sys::hg_first_nonfinite(count, x.as_ptr()) })
}

/// Sum of squares in 16 partial sums of double; the same bits on every instruction set. A count below 1 gives 0.
pub fn sum_of_squares(count: isize, x: &[f32]) -> Result<f64, Refusal> {
    need("x", x, count)?;
    Ok(unsafe { sys::hg_sum_of_squares(count, x.as_ptr()) })
}

/// indices[r] = column of the least number of row r of x[rows,columns], the first of equal ones; NaN counts as infinite.
/// There are 1 to 2^31 - 16 columns.
pub fn argmin(rows: isize, columns: isize, x: &[f32], indices: &mut [i32]) -> Result<(), Refusal> {
    need("x", x, size(&[rows, columns]))?;
    need("indices", &*indices, rows)?;
    check(unsafe { sys::hg_argmin(rows, columns, x.as_ptr(), indices.as_mut_ptr()) })
}

/// Exponential moving average:  average[i] = decay average[i] + (1 - decay) x[i].
pub fn moving_average(
    count: isize, decay: f32, x: &[f32], average: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    let threads = &parallel.raw();
    need("x", x, count)?;
    need("average", &*average, count)?;
    check(unsafe { sys::hg_moving_average(count, decay, x.as_ptr(), average.as_mut_ptr(), threads) })
}

/// Adam (Kingma & Ba 2015):
///   m = beta1 m + (1 - beta1) g;   v = beta2 v + (1 - beta2) g^2
///   w -= learning_rate (m / correction1) / (sqrt(v / correction2) + epsilon)
/// Elementwise over [0, count): weights, moments m and v are updated in place.
pub fn adam(
    options: &AdamOptions, count: isize, gradient: &[f32], weights: &mut [f32], m: &mut [f32], v: &mut [f32],
    parallel: &Parallel,
) -> Result<(), Refusal> {
    sized(options.size, options)?;
    let threads = &parallel.raw();
    need("gradient", gradient, count)?;
    need("weights", &*weights, count)?;
    need("m", &*m, count)?;
    need("v", &*v, count)?;
    check(unsafe { sys::hg_adam(
        options, count, gradient.as_ptr(), weights.as_mut_ptr(), m.as_mut_ptr(), v.as_mut_ptr(), threads,
    ) })
}

/// Stochastic gradient descent:
///   g += weight_decay w;   m = momentum m + g;   w -= learning_rate m
/// With nesterov w -= learning_rate (g + momentum m) (Sutskever et al., ICML 2013, as PyTorch writes it). Without
/// momentum m may be NULL and w -= learning_rate g.
pub fn sgd(
    options: &SgdOptions, count: isize, gradient: &[f32], weights: &mut [f32], m: Option<&mut [f32]>,
    parallel: &Parallel,
) -> Result<(), Refusal> {
    sized(options.size, options)?;
    let threads = &parallel.raw();
    need("gradient", gradient, count)?;
    need("weights", &*weights, count)?;
    need_some("m", m.as_deref(), count)?;
    check(unsafe { sys::hg_sgd(options, count, gradient.as_ptr(), weights.as_mut_ptr(), pointer_mut(m), threads) })
}

/// RMSprop (Tieleman & Hinton 2012):
///   v = alpha v + (1 - alpha) g^2;   m = momentum m + g / (sqrt(v) + epsilon);   w -= learning_rate m
/// Without momentum m may be NULL.
pub fn rmsprop(
    options: &RmspropOptions, count: isize, gradient: &[f32], weights: &mut [f32], v: &mut [f32],
    m: Option<&mut [f32]>, parallel: &Parallel,
) -> Result<(), Refusal> {
    sized(options.size, options)?;
    let threads = &parallel.raw();
    need("gradient", gradient, count)?;
    need("weights", &*weights, count)?;
    need("v", &*v, count)?;
    need_some("m", m.as_deref(), count)?;
    check(unsafe { sys::hg_rmsprop(
        options, count, gradient.as_ptr(), weights.as_mut_ptr(), v.as_mut_ptr(), pointer_mut(m), threads,
    ) })
}

/// AdaGrad (Duchi, Hazan & Singer, JMLR 2011):  v += g^2;  w -= learning_rate g / (sqrt(v) + epsilon).
pub fn adagrad(
    options: &AdagradOptions, count: isize, gradient: &[f32], weights: &mut [f32], v: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    sized(options.size, options)?;
    let threads = &parallel.raw();
    need("gradient", gradient, count)?;
    need("weights", &*weights, count)?;
    need("v", &*v, count)?;
    check(unsafe { sys::hg_adagrad(options, count, gradient.as_ptr(), weights.as_mut_ptr(), v.as_mut_ptr(), threads) })
}

/// AdaDelta (Zeiler 2012):
///   v = rho v + (1 - rho) g^2;   d = g sqrt(u + epsilon) / sqrt(v + epsilon)
///   u = rho u + (1 - rho) d^2;   w -= learning_rate d
pub fn adadelta(
    options: &AdadeltaOptions, count: isize, gradient: &[f32], weights: &mut [f32], v: &mut [f32], u: &mut [f32],
    parallel: &Parallel,
) -> Result<(), Refusal> {
    sized(options.size, options)?;
    let threads = &parallel.raw();
    need("gradient", gradient, count)?;
    need("weights", &*weights, count)?;
    need("v", &*v, count)?;
    need("u", &*u, count)?;
    check(unsafe { sys::hg_adadelta(
        options, count, gradient.as_ptr(), weights.as_mut_ptr(), v.as_mut_ptr(), u.as_mut_ptr(), threads,
    ) })
}

/// The gradient of a loss with penalties on its weights, l2 |w|^2 / 2 + l1 |w|:
///   gradient = scale gradient + l2 w + l1 sign(w)
/// with 0 for the sign of 0.
pub fn penalize(
    count: isize, scale: f32, l2: f32, l1: f32, weights: &[f32], gradient: &mut [f32], parallel: &Parallel,
) -> Result<(), Refusal> {
    let threads = &parallel.raw();
    need("weights", weights, count)?;
    need("gradient", &*gradient, count)?;
    check(unsafe { sys::hg_penalize(count, scale, l2, l1, weights.as_ptr(), gradient.as_mut_ptr(), threads) })
}

/// Clips each element of a gradient, with a limit above 0:
///   gradient = min(max(scale gradient, -limit), limit)
/// A NaN stays.
pub fn clip(count: isize, scale: f32, limit: f32, gradient: &mut [f32], parallel: &Parallel) -> Result<(), Refusal> {
    let threads = &parallel.raw();
    need("gradient", &*gradient, count)?;
    check(unsafe { sys::hg_clip(count, scale, limit, gradient.as_mut_ptr(), threads) })
}
