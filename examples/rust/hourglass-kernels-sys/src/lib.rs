//! Declarations as in hourglass_kernels.h, which explains them.
#![allow(non_camel_case_types)]
use std::ffi::{c_char, c_int, c_void};

pub type hg_body = unsafe extern "C" fn(argument: *mut c_void, part: isize);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hg_parallel {
    pub size: usize,
    pub threads: isize,
    pub parallel_for: Option<unsafe extern "C" fn(*mut c_void, isize, hg_body, *mut c_void)>,
    pub context: *mut c_void,
}

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
    pub algorithm: c_int,
    pub precision: i32,
    pub dilation_vertical: isize,
    pub dilation_horizontal: isize,
    pub groups: isize,
}

/// A float of a filter as one of the two forms reads it.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct hg_gather_filter {
    pub prepared: f32,
}
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct hg_scatter_filter {
    pub prepared: f32,
}

pub type hg_activation = c_int;
pub const HG_ACTIVATION_LINEAR: hg_activation = 0;
pub const HG_ACTIVATION_RELU: hg_activation = 1;
pub const HG_ACTIVATION_SIGMOID: hg_activation = 2;

/// NULL, or a sentence that lives as long as the program.
pub type Refusal = *const c_char;

extern "C" {
    pub fn hg_version() -> *const c_char;
    pub fn hg_parallel_check(parallel: *const hg_parallel) -> Refusal;
    pub fn hg_conv2d_check(geometry: *const hg_geometry2d) -> Refusal;
    pub fn hg_conv2d_prepared_gather_count(geometry: *const hg_geometry2d) -> isize;
    pub fn hg_conv2d_prepared_scatter_count(geometry: *const hg_geometry2d) -> isize;
    pub fn hg_conv2d_forward_scratch(geometry: *const hg_geometry2d, parallel: *const hg_parallel) -> isize;
    pub fn hg_conv2d_backward_data_scratch(geometry: *const hg_geometry2d, parallel: *const hg_parallel) -> isize;
    pub fn hg_conv2d_backward_filter_scratch(geometry: *const hg_geometry2d, parallel: *const hg_parallel) -> isize;
    pub fn hg_conv2d_prepare_gather(
        geometry: *const hg_geometry2d,
        filter: *const f32,
        prepared: *mut hg_gather_filter,
        parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_conv2d_prepare_scatter(
        geometry: *const hg_geometry2d,
        filter: *const f32,
        prepared: *mut hg_scatter_filter,
        parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_conv2d_forward(
        geometry: *const hg_geometry2d,
        x: *const f32,
        gather_filter: *const hg_gather_filter,
        bias: *const f32,
        activation: hg_activation,
        y: *mut f32,
        scratch: *mut f32,
        parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_conv2d_backward_data(
        geometry: *const hg_geometry2d,
        dy: *const f32,
        scatter_filter: *const hg_scatter_filter,
        gate_activation: hg_activation,
        gate: *const f32,
        dx: *mut f32,
        scratch: *mut f32,
        parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_conv2d_backward_filter(
        geometry: *const hg_geometry2d,
        x: *const f32,
        dy: *const f32,
        accumulate: bool,
        dfilter: *mut f32,
        dbias: *mut f32,
        scratch: *mut f32,
        parallel: *const hg_parallel,
    ) -> Refusal;
    pub fn hg_reference_conv2d_forward(
        geometry: *const hg_geometry2d,
        x: *const f32,
        filter: *const f32,
        bias: *const f32,
        activation: hg_activation,
        y: *mut f32,
    );
}
