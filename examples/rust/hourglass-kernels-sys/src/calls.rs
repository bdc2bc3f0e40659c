// Declarations as in hourglass_kernels.h and hourglass_reference.h, which explain them: written by
// examples/bindings/write.
use super::{hg_parallel, Refusal};
use std::ffi::c_int;

pub type hg_error = c_int;
pub const HG_ERROR_NONE: hg_error = 0;
pub const HG_ERROR_SIZE: hg_error = 1;
pub const HG_ERROR_NULL: hg_error = 2;
pub const HG_ERROR_GEOMETRY: hg_error = 3;
pub const HG_ERROR_COUNT: hg_error = 4;
pub const HG_ERROR_ACTIVATION: hg_error = 5;
pub const HG_ERROR_VALUE: hg_error = 6;
pub const HG_ERROR_PARALLEL: hg_error = 7;
pub const HG_ERROR_ISA: hg_error = 8;

pub type hg_activation = c_int;
pub const HG_ACTIVATION_LINEAR: hg_activation = 0;
pub const HG_ACTIVATION_RELU: hg_activation = 1;
pub const HG_ACTIVATION_SIGMOID: hg_activation = 2;
pub const HG_ACTIVATION_TANH: hg_activation = 3;
pub const HG_ACTIVATION_SOFTPLUS: hg_activation = 4;
pub const HG_ACTIVATION_ELU: hg_activation = 5;
pub const HG_ACTIVATION_LEAKY_RELU: hg_activation = 6;
pub const HG_ACTIVATION_SELU: hg_activation = 7;
pub const HG_ACTIVATION_RELU6: hg_activation = 8;
pub const HG_ACTIVATION_HARD_SIGMOID: hg_activation = 9;
pub const HG_ACTIVATION_HARD_TANH: hg_activation = 10;
pub const HG_ACTIVATION_GELU: hg_activation = 16;
pub const HG_ACTIVATION_SILU: hg_activation = 17;
pub const HG_ACTIVATION_MISH: hg_activation = 18;
pub const HG_ACTIVATION_HARD_SWISH: hg_activation = 19;

pub type hg_algorithm = c_int;
pub const HG_ALGORITHM_DIRECT: hg_algorithm = 0;
pub const HG_ALGORITHM_WINOGRAD: hg_algorithm = 1;

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct hg_geometry2d {
    pub size: usize,
    pub samples: isize,
    pub large_height: isize,
    pub large_width: isize,
    pub large_channels: isize,
    pub small_height: isize,
    pub small_width: isize,
    pub small_channels: isize,
    pub filter_height: isize,
    pub filter_width: isize,
    pub stride_vertical: isize,
    pub stride_horizontal: isize,
    pub pad_top: isize,
    pub pad_left: isize,
    pub algorithm: hg_algorithm,
    pub precision: i32,
    pub dilation_vertical: isize,
    pub dilation_horizontal: isize,
    pub groups: isize,
    pub large_sample_stride: isize,
    pub large_row_stride: isize,
    pub large_pixel_stride: isize,
    pub small_sample_stride: isize,
    pub small_row_stride: isize,
    pub small_pixel_stride: isize,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct hg_resampling_axis {
    pub size: usize,
    pub inputs: isize,
    pub outputs: isize,
    pub start: *const isize,
    pub input: *const isize,
    pub weight: *const f32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct hg_resampling2d {
    pub size: usize,
    pub samples: isize,
    pub channels: isize,
    pub vertical: hg_resampling_axis,
    pub horizontal: hg_resampling_axis,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct hg_permutation {
    pub size: usize,
    pub samples: isize,
    pub rank: isize,
    pub extents: [isize; 6],
    pub strides: [isize; 6],
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct hg_group_norm {
    pub size: usize,
    pub samples: isize,
    pub positions: isize,
    pub channels: isize,
    pub groups: isize,
    pub epsilon: f32,
    pub activation: isize,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct hg_dense {
    pub size: usize,
    pub samples: isize,
    pub inputs: isize,
    pub outputs: isize,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct hg_random_stream {
    pub size: usize,
    pub seed: u64,
    pub stream: u32,
    pub step: u32,
    pub sample: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct hg_adam_options {
    pub size: usize,
    pub gradient_scale: f32,
    pub learning_rate: f32,
    pub beta1: f32,
    pub beta2: f32,
    pub epsilon: f32,
    pub weight_decay: f32,
    pub correction1: f32,
    pub correction2: f32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct hg_sgd_options {
    pub size: usize,
    pub gradient_scale: f32,
    pub learning_rate: f32,
    pub momentum: f32,
    pub weight_decay: f32,
    pub nesterov: bool,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct hg_rmsprop_options {
    pub size: usize,
    pub gradient_scale: f32,
    pub learning_rate: f32,
    pub alpha: f32,
    pub epsilon: f32,
    pub momentum: f32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct hg_adagrad_options {
    pub size: usize,
    pub gradient_scale: f32,
    pub learning_rate: f32,
    pub epsilon: f32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct hg_adadelta_options {
    pub size: usize,
    pub gradient_scale: f32,
    pub learning_rate: f32,
    pub rho: f32,
    pub epsilon: f32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct hg_gather_filter {
    pub prepared: f32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct hg_scatter_filter {
    pub prepared: f32,
}

with_size!(
    hg_geometry2d, hg_resampling_axis, hg_resampling2d, hg_permutation, hg_group_norm, hg_dense, hg_random_stream,
    hg_adam_options, hg_sgd_options, hg_rmsprop_options, hg_adagrad_options, hg_adadelta_options,
);

extern "C" {
    pub fn hg_activation_forward(
        activation: hg_activation, count: isize, x: *const f32, y: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_activation_backward(
        activation: hg_activation, count: isize, y: *const f32, dy: *const f32, dx: *mut f32,
        parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_activation_backward_input(
        activation: hg_activation, count: isize, x: *const f32, dy: *const f32, dx: *mut f32,
        parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_prelu_forward(
        positions: isize, channels: isize, x: *const f32, slope: *const f32, y: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_prelu_backward(
        positions: isize, channels: isize, x: *const f32, dy: *const f32, slope: *const f32, accumulate: bool,
        dx: *mut f32, dslope: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_softmax_forward(
        positions: isize, channels: isize, x: *const f32, y: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_softmax_backward(
        positions: isize, channels: isize, y: *const f32, dy: *const f32, dx: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_fork_backward(
        activation: hg_activation, count: isize, x: *const f32, first: *const f32, second: *const f32, dx: *mut f32,
        parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_join_forward(
        activation: hg_activation, count: isize, x: *const f32, skip: *const f32, y: *mut f32,
        parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_concat_forward(
        positions: isize, channels: isize, skip_channels: isize, x: *const f32, skip: *const f32, y: *mut f32,
        parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_concat_backward(
        positions: isize, channels: isize, skip_channels: isize, dy: *const f32, dx: *mut f32, dskip: *mut f32,
        parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_conv2d_check(geometry: *const hg_geometry2d) -> Refusal;
    pub fn hg_conv2d_prepared_gather_count(geometry: *const hg_geometry2d) -> isize;
    pub fn hg_conv2d_prepared_scatter_count(geometry: *const hg_geometry2d) -> isize;
    pub fn hg_conv2d_prepare_gather(
        geometry: *const hg_geometry2d, filter: *const f32, prepared: *mut hg_gather_filter,
        parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_conv2d_prepare_scatter(
        geometry: *const hg_geometry2d, filter: *const f32, prepared: *mut hg_scatter_filter,
        parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_conv2d_forward_scratch(geometry: *const hg_geometry2d, parallel: *const hg_parallel) -> isize;
    pub fn hg_conv2d_backward_data_scratch(geometry: *const hg_geometry2d, parallel: *const hg_parallel) -> isize;
    pub fn hg_conv2d_backward_filter_scratch(geometry: *const hg_geometry2d, parallel: *const hg_parallel) -> isize;
    pub fn hg_conv2d_transpose_forward_scratch(geometry: *const hg_geometry2d, parallel: *const hg_parallel) -> isize;
    pub fn hg_conv2d_transpose_backward_data_scratch(
        geometry: *const hg_geometry2d, parallel: *const hg_parallel,
    ) -> isize;
    pub fn hg_conv2d_transpose_backward_filter_scratch(
        geometry: *const hg_geometry2d, parallel: *const hg_parallel,
    ) -> isize;
    pub fn hg_conv2d_forward(
        geometry: *const hg_geometry2d, x: *const f32, gather_filter: *const hg_gather_filter, bias: *const f32,
        activation: hg_activation, y: *mut f32, scratch: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_conv2d_backward_data(
        geometry: *const hg_geometry2d, dy: *const f32, scatter_filter: *const hg_scatter_filter,
        gate_activation: hg_activation, gate: *const f32, dx: *mut f32, scratch: *mut f32,
        parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_conv2d_backward_filter(
        geometry: *const hg_geometry2d, x: *const f32, dy: *const f32, accumulate: bool, dfilter: *mut f32,
        dbias: *mut f32, scratch: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_conv2d_transpose_forward(
        geometry: *const hg_geometry2d, y: *const f32, scatter_filter: *const hg_scatter_filter, bias: *const f32,
        activation: hg_activation, x: *mut f32, scratch: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_conv2d_transpose_backward_data(
        geometry: *const hg_geometry2d, dx: *const f32, gather_filter: *const hg_gather_filter,
        gate_activation: hg_activation, gate: *const f32, dy: *mut f32, scratch: *mut f32,
        parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_conv2d_transpose_backward_filter(
        geometry: *const hg_geometry2d, y: *const f32, dx: *const f32, accumulate: bool, dfilter: *mut f32,
        dbias: *mut f32, scratch: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_max_pool2d_check(geometry: *const hg_geometry2d) -> Refusal;
    pub fn hg_max_pool2d_forward(
        geometry: *const hg_geometry2d, x: *const f32, y: *mut f32, switches: *mut u8, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_max_pool2d_backward(
        geometry: *const hg_geometry2d, dy: *const f32, switches: *const u8, gate_activation: hg_activation,
        y: *const f32, dx: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_max_unpool2d_forward(
        geometry: *const hg_geometry2d, y: *const f32, switches: *const u8, x: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_max_unpool2d_backward(
        geometry: *const hg_geometry2d, dx: *const f32, switches: *const u8, dy: *mut f32,
        parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_upsample2d_check(geometry: *const hg_geometry2d) -> Refusal;
    pub fn hg_upsample2d_forward(
        geometry: *const hg_geometry2d, y: *const f32, x: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_upsample2d_backward(
        geometry: *const hg_geometry2d, dx: *const f32, dy: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_average_pool2d_forward(
        geometry: *const hg_geometry2d, x: *const f32, y: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_average_pool2d_backward(
        geometry: *const hg_geometry2d, dy: *const f32, dx: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_resample2d_check(geometry: *const hg_resampling2d) -> Refusal;
    pub fn hg_resample2d(
        geometry: *const hg_resampling2d, x: *const f32, y: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_permute_check(permutation: *const hg_permutation) -> Refusal;
    pub fn hg_permute_forward(
        permutation: *const hg_permutation, x: *const f32, y: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_permute_backward(
        permutation: *const hg_permutation, dy: *const f32, dx: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_group_norm_check(geometry: *const hg_group_norm) -> Refusal;
    pub fn hg_group_norm_forward(
        geometry: *const hg_group_norm, x: *const f32, weight: *const f32, bias: *const f32, y: *mut f32,
        mean: *mut f32, variance: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_group_norm_apply(
        geometry: *const hg_group_norm, x: *const f32, mean: *const f32, variance: *const f32, weight: *const f32,
        bias: *const f32, y: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_group_norm_backward(
        geometry: *const hg_group_norm, x: *const f32, dy: *const f32, mean: *const f32, variance: *const f32,
        weight: *const f32, accumulate: bool, dx: *mut f32, dweight: *mut f32, dbias: *mut f32,
        parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_dense_check(geometry: *const hg_dense) -> Refusal;
    pub fn hg_dense_forward_scratch(geometry: *const hg_dense, parallel: *const hg_parallel) -> isize;
    pub fn hg_dense_backward_data_scratch(geometry: *const hg_dense, parallel: *const hg_parallel) -> isize;
    pub fn hg_dense_backward_weight_scratch(geometry: *const hg_dense, parallel: *const hg_parallel) -> isize;
    pub fn hg_dense_forward(
        geometry: *const hg_dense, x: *const f32, weight: *const f32, bias: *const f32, activation: hg_activation,
        y: *mut f32, scratch: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_dense_backward_data(
        geometry: *const hg_dense, dy: *const f32, weight: *const f32, gate_activation: hg_activation,
        gate: *const f32, dx: *mut f32, scratch: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_dense_backward_weight(
        geometry: *const hg_dense, first_input: isize, last_input: isize, x: *const f32, dy: *const f32,
        accumulate: bool, dweight: *mut f32, scratch: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_dense_backward_bias(
        geometry: *const hg_dense, dy: *const f32, accumulate: bool, dbias: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_transpose(
        rows: isize, columns: isize, in_: *const f32, out: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_bernoulli_logits(
        samples: isize, count: isize, logits: *const f32, targets: *const f32, loss: *mut f32, dlogits: *mut f32,
        parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_squared_error(
        samples: isize, count: isize, y: *const f32, targets: *const f32, loss: *mut f32, dy: *mut f32,
        parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_absolute_error(
        samples: isize, count: isize, y: *const f32, targets: *const f32, loss: *mut f32, dy: *mut f32,
        parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_huber_error(
        samples: isize, count: isize, y: *const f32, targets: *const f32, loss: *mut f32, dy: *mut f32,
        parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_log_cosh_error(
        samples: isize, count: isize, y: *const f32, targets: *const f32, loss: *mut f32, dy: *mut f32,
        parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_poisson(
        samples: isize, count: isize, log_rates: *const f32, targets: *const f32, loss: *mut f32, dlog_rates: *mut f32,
        parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_multinomial(
        samples: isize, count: isize, logits: *const f32, targets: *const f32, loss: *mut f32, dlogits: *mut f32,
        parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_gaussian(
        samples: isize, count: isize, variance: f32, y: *const f32, targets: *const f32, loss: *mut f32, dy: *mut f32,
        parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_gaussian_heads(
        samples: isize, pixels: isize, channels: isize, heads: *const f32, targets: *const f32, loss: *mut f32,
        dheads: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_negative_binomial(
        samples: isize, pixels: isize, channels: isize, heads: *const f32, targets: *const f32, loss: *mut f32,
        dheads: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_discretized_logistic(
        samples: isize, pixels: isize, channels: isize, heads: *const f32, targets: *const f32, loss: *mut f32,
        dheads: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_softmax_cross_entropy(
        samples: isize, classes: isize, logits: *const f32, labels: *const i32, loss: *mut f32, dlogits: *mut f32,
        parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_ssim_check(samples: isize, height: isize, width: isize, channels: isize) -> Refusal;
    pub fn hg_ssim_scratch(
        samples: isize, height: isize, width: isize, channels: isize, parallel: *const hg_parallel,
    ) -> isize;
    pub fn hg_ssim(
        samples: isize, height: isize, width: isize, channels: isize, y: *const f32, targets: *const f32,
        loss: *mut f32, dy: *mut f32, scratch: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_ms_ssim_scratch(
        samples: isize, height: isize, width: isize, channels: isize, parallel: *const hg_parallel,
    ) -> isize;
    pub fn hg_ms_ssim(
        samples: isize, height: isize, width: isize, channels: isize, y: *const f32, targets: *const f32,
        loss: *mut f32, dy: *mut f32, scratch: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_gaussian_latent_forward(
        samples: isize, units: isize, heads: *const f32, noise: *const f32, z: *mut f32, kl: *mut f32,
        parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_gaussian_latent_backward(
        samples: isize, units: isize, heads: *const f32, noise: *const f32, dz: *const f32, beta: f32,
        dheads: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_gaussian_free_bits(
        samples: isize, units: isize, heads: *const f32, free_bits: f32, beta: f32, dheads: *mut f32,
        parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_gaussian_log_ratio(
        samples: isize, units: isize, heads: *const f32, noise: *const f32, z: *const f32, ratio: *mut f32,
        parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_gaussian_log_ratio_backward(
        samples: isize, units: isize, heads: *const f32, noise: *const f32, z: *const f32, weights: *const f32,
        dz: *const f32, dheads: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_importance_bound(
        images: isize, draws: isize, count: isize, loss: *const f32, ratio: *const f32, bound: *mut f32,
        weights: *mut f32, dy: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_random_bits(stream: *const hg_random_stream, first: isize, count: isize, out: *mut u32) -> Refusal;
    pub fn hg_random_uniform(stream: *const hg_random_stream, first: isize, count: isize, out: *mut f32) -> Refusal;
    pub fn hg_random_normal(stream: *const hg_random_stream, first: isize, count: isize, out: *mut f32) -> Refusal;
    pub fn hg_dropout_mask_count(count: isize) -> isize;
    pub fn hg_dropout_forward(
        stream: *const hg_random_stream, rate: f32, samples: isize, count: isize, input_activation: hg_activation,
        x: *const f32, y: *mut f32, mask: *mut u32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_dropout_backward(
        rate: f32, samples: isize, count: isize, dy: *const f32, mask: *const u32, input_activation: hg_activation,
        x: *const f32, dx: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_gaussian_noise(
        stream: *const hg_random_stream, deviation: f32, samples: isize, count: isize, x: *const f32, y: *mut f32,
        parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_sum_shards(
        count: isize, shards: isize, stride: isize, gradients: *const f32, accumulate: bool, sum: *mut f32,
        parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_first_nonfinite(count: isize, x: *const f32) -> isize;
    pub fn hg_sum_of_squares(count: isize, x: *const f32) -> f64;
    pub fn hg_argmin(rows: isize, columns: isize, x: *const f32, indices: *mut i32) -> Refusal;
    pub fn hg_moving_average(
        count: isize, decay: f32, x: *const f32, average: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_adam(
        options: *const hg_adam_options, count: isize, gradient: *const f32, weights: *mut f32, m: *mut f32,
        v: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_sgd(
        options: *const hg_sgd_options, count: isize, gradient: *const f32, weights: *mut f32, m: *mut f32,
        parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_rmsprop(
        options: *const hg_rmsprop_options, count: isize, gradient: *const f32, weights: *mut f32, v: *mut f32,
        m: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_adagrad(
        options: *const hg_adagrad_options, count: isize, gradient: *const f32, weights: *mut f32, v: *mut f32,
        parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_adadelta(
        options: *const hg_adadelta_options, count: isize, gradient: *const f32, weights: *mut f32, v: *mut f32,
        u: *mut f32, parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_penalize(
        count: isize, scale: f32, l2: f32, l1: f32, weights: *const f32, gradient: *mut f32,
        parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_clip(count: isize, scale: f32, limit: f32, gradient: *mut f32, parallel: *const hg_parallel) -> Refusal;
    pub fn hg_reference_conv2d_forward(
        geometry: *const hg_geometry2d, x: *const f32, filter: *const f32, bias: *const f32, activation: hg_activation,
        y: *mut f32,
    );
    pub fn hg_reference_conv2d_backward_data(
        geometry: *const hg_geometry2d, dy: *const f32, filter: *const f32, gate_activation: hg_activation,
        gate: *const f32, dx: *mut f32,
    );
    pub fn hg_reference_conv2d_backward_filter(
        geometry: *const hg_geometry2d, x: *const f32, dy: *const f32, accumulate: bool, dfilter: *mut f32,
        dbias: *mut f32,
    );
    pub fn hg_reference_conv2d_transpose_forward(
        geometry: *const hg_geometry2d, y: *const f32, filter: *const f32, bias: *const f32, activation: hg_activation,
        x: *mut f32,
    );
    pub fn hg_reference_conv2d_transpose_backward_data(
        geometry: *const hg_geometry2d, dx: *const f32, filter: *const f32, gate_activation: hg_activation,
        gate: *const f32, dy: *mut f32,
    );
    pub fn hg_reference_conv2d_transpose_backward_filter(
        geometry: *const hg_geometry2d, y: *const f32, dx: *const f32, accumulate: bool, dfilter: *mut f32,
        dbias: *mut f32,
    );
    pub fn hg_reference_max_pool2d_forward(
        geometry: *const hg_geometry2d, x: *const f32, y: *mut f32, switches: *mut u8,
    );
    pub fn hg_reference_max_pool2d_backward(
        geometry: *const hg_geometry2d, dy: *const f32, switches: *const u8, gate_activation: hg_activation,
        y: *const f32, dx: *mut f32,
    );
    pub fn hg_reference_max_unpool2d_forward(
        geometry: *const hg_geometry2d, y: *const f32, switches: *const u8, x: *mut f32,
    );
    pub fn hg_reference_max_unpool2d_backward(
        geometry: *const hg_geometry2d, dx: *const f32, switches: *const u8, dy: *mut f32,
    );
    pub fn hg_reference_upsample2d_forward(geometry: *const hg_geometry2d, y: *const f32, x: *mut f32);
    pub fn hg_reference_upsample2d_backward(geometry: *const hg_geometry2d, dx: *const f32, dy: *mut f32);
    pub fn hg_reference_resample2d(geometry: *const hg_resampling2d, x: *const f32, y: *mut f32);
    pub fn hg_reference_permute_forward(permutation: *const hg_permutation, x: *const f32, y: *mut f32);
    pub fn hg_reference_permute_backward(permutation: *const hg_permutation, dy: *const f32, dx: *mut f32);
    pub fn hg_reference_group_norm_forward(
        geometry: *const hg_group_norm, x: *const f32, weight: *const f32, bias: *const f32, y: *mut f32,
        mean: *mut f32, variance: *mut f32,
    );
    pub fn hg_reference_group_norm_apply(
        geometry: *const hg_group_norm, x: *const f32, mean: *const f32, variance: *const f32, weight: *const f32,
        bias: *const f32, y: *mut f32,
    );
    pub fn hg_reference_group_norm_backward(
        geometry: *const hg_group_norm, x: *const f32, dy: *const f32, mean: *const f32, variance: *const f32,
        weight: *const f32, accumulate: bool, dx: *mut f32, dweight: *mut f32, dbias: *mut f32,
    );
    pub fn hg_reference_fork_backward(
        activation: hg_activation, count: isize, x: *const f32, first: *const f32, second: *const f32, dx: *mut f32,
    );
    pub fn hg_reference_join_forward(
        activation: hg_activation, count: isize, x: *const f32, skip: *const f32, y: *mut f32,
    );
    pub fn hg_reference_concat_forward(
        positions: isize, channels: isize, skip_channels: isize, x: *const f32, skip: *const f32, y: *mut f32,
    );
    pub fn hg_reference_concat_backward(
        positions: isize, channels: isize, skip_channels: isize, dy: *const f32, dx: *mut f32, dskip: *mut f32,
    );
    pub fn hg_reference_dense_forward(
        geometry: *const hg_dense, x: *const f32, weight: *const f32, bias: *const f32, activation: hg_activation,
        y: *mut f32,
    );
    pub fn hg_reference_dense_backward_data(
        geometry: *const hg_dense, dy: *const f32, weight: *const f32, gate_activation: hg_activation,
        gate: *const f32, dx: *mut f32,
    );
    pub fn hg_reference_dense_backward_weight(
        geometry: *const hg_dense, x: *const f32, dy: *const f32, accumulate: bool, dweight: *mut f32, dbias: *mut f32,
    );
    pub fn hg_reference_activation_forward(activation: hg_activation, count: isize, x: *const f32, y: *mut f32);
    pub fn hg_reference_activation_backward(
        activation: hg_activation, count: isize, y: *const f32, dy: *const f32, dx: *mut f32,
    );
    pub fn hg_reference_activation_backward_input(
        activation: hg_activation, count: isize, x: *const f32, dy: *const f32, dx: *mut f32,
    );
    pub fn hg_reference_prelu_forward(positions: isize, channels: isize, x: *const f32, slope: *const f32, y: *mut f32);
    pub fn hg_reference_prelu_backward(
        positions: isize, channels: isize, x: *const f32, dy: *const f32, slope: *const f32, accumulate: bool,
        dx: *mut f32, dslope: *mut f32,
    );
    pub fn hg_reference_softmax_forward(positions: isize, channels: isize, x: *const f32, y: *mut f32);
    pub fn hg_reference_softmax_backward(
        positions: isize, channels: isize, y: *const f32, dy: *const f32, dx: *mut f32,
    );
    pub fn hg_reference_bernoulli_logits(
        samples: isize, count: isize, logits: *const f32, targets: *const f32, loss: *mut f32, dlogits: *mut f32,
    );
    pub fn hg_reference_squared_error(
        samples: isize, count: isize, y: *const f32, targets: *const f32, loss: *mut f32, dy: *mut f32,
    );
    pub fn hg_reference_absolute_error(
        samples: isize, count: isize, y: *const f32, targets: *const f32, loss: *mut f32, dy: *mut f32,
    );
    pub fn hg_reference_huber_error(
        samples: isize, count: isize, y: *const f32, targets: *const f32, loss: *mut f32, dy: *mut f32,
    );
    pub fn hg_reference_log_cosh_error(
        samples: isize, count: isize, y: *const f32, targets: *const f32, loss: *mut f32, dy: *mut f32,
    );
    pub fn hg_reference_poisson(
        samples: isize, count: isize, log_rates: *const f32, targets: *const f32, loss: *mut f32, dlog_rates: *mut f32,
    );
    pub fn hg_reference_multinomial(
        samples: isize, count: isize, logits: *const f32, targets: *const f32, loss: *mut f32, dlogits: *mut f32,
    );
    pub fn hg_reference_gaussian(
        samples: isize, count: isize, variance: f32, y: *const f32, targets: *const f32, loss: *mut f32, dy: *mut f32,
    );
    pub fn hg_reference_gaussian_heads(
        samples: isize, pixels: isize, channels: isize, heads: *const f32, targets: *const f32, loss: *mut f32,
        dheads: *mut f32,
    );
    pub fn hg_reference_negative_binomial(
        samples: isize, pixels: isize, channels: isize, heads: *const f32, targets: *const f32, loss: *mut f32,
        dheads: *mut f32,
    );
    pub fn hg_reference_discretized_logistic(
        samples: isize, pixels: isize, channels: isize, heads: *const f32, targets: *const f32, loss: *mut f32,
        dheads: *mut f32,
    );
    pub fn hg_reference_softmax_cross_entropy(
        samples: isize, classes: isize, logits: *const f32, labels: *const i32, loss: *mut f32, dlogits: *mut f32,
    );
    pub fn hg_reference_ssim(
        samples: isize, height: isize, width: isize, channels: isize, y: *const f32, targets: *const f32,
        loss: *mut f32, dy: *mut f32,
    );
    pub fn hg_reference_ms_ssim(
        samples: isize, height: isize, width: isize, channels: isize, y: *const f32, targets: *const f32,
        loss: *mut f32, dy: *mut f32,
    );
    pub fn hg_reference_gaussian_latent_forward(
        samples: isize, units: isize, heads: *const f32, noise: *const f32, z: *mut f32, kl: *mut f32,
    );
    pub fn hg_reference_gaussian_latent_backward(
        samples: isize, units: isize, heads: *const f32, noise: *const f32, dz: *const f32, beta: f32,
        dheads: *mut f32,
    );
    pub fn hg_reference_gaussian_log_ratio(
        samples: isize, units: isize, heads: *const f32, noise: *const f32, z: *const f32, ratio: *mut f32,
    );
    pub fn hg_reference_gaussian_log_ratio_backward(
        samples: isize, units: isize, heads: *const f32, noise: *const f32, z: *const f32, weights: *const f32,
        dz: *const f32, dheads: *mut f32,
    );
    pub fn hg_reference_importance_bound(
        images: isize, draws: isize, count: isize, loss: *const f32, ratio: *const f32, bound: *mut f32,
        weights: *mut f32, dy: *mut f32,
    );
    pub fn hg_reference_gaussian_free_bits(
        samples: isize, units: isize, heads: *const f32, free_bits: f32, beta: f32, dheads: *mut f32,
    );
    pub fn hg_reference_random_bits(stream: *const hg_random_stream, first: isize, count: isize, out: *mut u32);
    pub fn hg_reference_random_uniform(stream: *const hg_random_stream, first: isize, count: isize, out: *mut f32);
    pub fn hg_reference_random_normal(stream: *const hg_random_stream, first: isize, count: isize, out: *mut f32);
    pub fn hg_reference_dropout_forward(
        stream: *const hg_random_stream, rate: f32, samples: isize, count: isize, input_activation: hg_activation,
        x: *const f32, y: *mut f32, mask: *mut u32,
    );
    pub fn hg_reference_dropout_backward(
        rate: f32, samples: isize, count: isize, dy: *const f32, mask: *const u32, input_activation: hg_activation,
        x: *const f32, dx: *mut f32,
    );
    pub fn hg_reference_gaussian_noise(
        stream: *const hg_random_stream, deviation: f32, samples: isize, count: isize, x: *const f32, y: *mut f32,
    );
    pub fn hg_reference_sum_shards(
        count: isize, shards: isize, stride: isize, gradients: *const f32, accumulate: bool, sum: *mut f32,
    );
    pub fn hg_reference_first_nonfinite(count: isize, x: *const f32) -> isize;
    pub fn hg_reference_sum_of_squares(count: isize, x: *const f32) -> f64;
    pub fn hg_reference_argmin(rows: isize, columns: isize, x: *const f32, indices: *mut i32);
    pub fn hg_reference_adam(
        options: *const hg_adam_options, count: isize, gradient: *const f32, weights: *mut f32, m: *mut f32,
        v: *mut f32,
    );
    pub fn hg_reference_sgd(
        options: *const hg_sgd_options, count: isize, gradient: *const f32, weights: *mut f32, m: *mut f32,
    );
    pub fn hg_reference_rmsprop(
        options: *const hg_rmsprop_options, count: isize, gradient: *const f32, weights: *mut f32, v: *mut f32,
        m: *mut f32,
    );
    pub fn hg_reference_adagrad(
        options: *const hg_adagrad_options, count: isize, gradient: *const f32, weights: *mut f32, v: *mut f32,
    );
    pub fn hg_reference_adadelta(
        options: *const hg_adadelta_options, count: isize, gradient: *const f32, weights: *mut f32, v: *mut f32,
        u: *mut f32,
    );
    pub fn hg_reference_penalize(count: isize, scale: f32, l2: f32, l1: f32, weights: *const f32, gradient: *mut f32);
    pub fn hg_reference_clip(count: isize, scale: f32, limit: f32, gradient: *mut f32);
    pub fn hg_reference_moving_average(count: isize, decay: f32, x: *const f32, average: *mut f32);
}
