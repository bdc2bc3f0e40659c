//! The Hourglass kernels with slices instead of pointers: every operation of the C library in [`operations`], and a
//! [`Convolution`] that owns its prepared weights and scratch. They run on whatever owns the threads: OpenMP,
//! `std::thread::scope`, rayon.
use hourglass_kernels_sys as sys;
use std::ffi::{c_int, c_void, CStr, CString};
use std::marker::PhantomData;
use std::mem::size_of_val;
use std::ptr;

mod convolution;
#[rustfmt::skip]
pub mod operations;
mod parallel;
pub use convolution::Convolution;
pub use operations::Geometry2d;
pub use parallel::{Parallel, ParallelFor, ScopedThreads};

/// What the library, or a check before it, says about arguments it refuses, and its `HG_ERROR_` code.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    pub sentence: String,
    pub code: sys::hg_error,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.sentence)
    }
}
impl std::error::Error for Refusal {}

/// An elementwise activation; `operations` has their names.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Activation(pub c_int);

impl Activation {
    /// A leaky ReLU with a slope within (0, 1], rounded to a multiple of 1/10000.
    pub fn leaky_relu(slope: f32) -> Self {
        Self(Self::LEAKY_RELU.0 | ((slope * 10000.0 + 0.5) as c_int) << 8)
    }
}

/// One axis of a resampling: output i takes inputs[t] times weights[t] for starts[i] <= t < starts[i + 1].
#[derive(Clone, Copy)]
pub struct ResamplingAxis<'a> {
    pub extent: isize,
    pub starts: &'a [isize],
    pub inputs: &'a [isize],
    pub weights: &'a [f32],
}

/// A resampling of the rows and of the columns of images N H W C, which borrows its taps.
pub struct Resampling2d<'a> {
    raw: sys::hg_resampling2d,
    taps: PhantomData<&'a [f32]>,
}

impl std::ops::Deref for Resampling2d<'_> {
    type Target = sys::hg_resampling2d;
    fn deref(&self) -> &Self::Target {
        &self.raw
    }
}

impl<'a> Resampling2d<'a> {
    /// Refuses axes whose last start is not the number of their taps.
    pub fn new(
        samples: isize,
        channels: isize,
        vertical: ResamplingAxis<'a>,
        horizontal: ResamplingAxis<'a>,
    ) -> Result<Self, Refusal> {
        let axis = |axis: ResamplingAxis<'a>| {
            need("starts", axis.starts, (axis.starts.len() as isize).max(2))?;
            need("inputs", axis.inputs, axis.starts[axis.starts.len() - 1])?;
            need("weights", axis.weights, axis.inputs.len() as isize)?;
            Ok(sys::hg_resampling_axis {
                inputs: axis.extent,
                outputs: axis.starts.len() as isize - 1,
                start: axis.starts.as_ptr(),
                input: axis.inputs.as_ptr(),
                weight: axis.weights.as_ptr(),
                ..Default::default()
            })
        };
        let (vertical, horizontal) = (axis(vertical)?, axis(horizontal)?);
        let raw = sys::hg_resampling2d { samples, channels, vertical, horizontal, ..Default::default() };
        Ok(Self { raw, taps: PhantomData })
    }
}

// ------------------------------------------------------------------------------ what `operations` checks with

fn check(refusal: sys::Refusal) -> Result<(), Refusal> {
    if refusal.is_null() {
        return Ok(());
    }
    Err(Refusal { sentence: text(refusal).into(), code: error_of(refusal) })
}

fn error_of(sentence: sys::Refusal) -> sys::hg_error {
    unsafe { sys::hg_error_of(sentence) }
}

fn refuse<T>(code: sys::hg_error, sentence: String) -> Result<T, Refusal> {
    Err(Refusal { sentence, code })
}

/// Sentences and names are static text of the library.
fn text(sentence: *const std::ffi::c_char) -> &'static str {
    unsafe { CStr::from_ptr(sentence) }.to_str().unwrap_or("a name that is no UTF-8")
}

fn amount(found: isize) -> Result<usize, Refusal> {
    match usize::try_from(found) {
        Ok(found) => Ok(found),
        Err(_) => refuse(sys::HG_ERROR_COUNT, "a count is negative, or there is no such number of threads".into()),
    }
}

/// A struct of another size would be of another version, with other fields.
fn sized<T>(size: usize, found: &T) -> Result<(), Refusal> {
    match size == size_of_val(found) {
        true => Ok(()),
        false => refuse(sys::HG_ERROR_SIZE, format!("the struct says size {size} instead of {}", size_of_val(found))),
    }
}

/// Elements of an array with these axes; negative where one is or where there are too many.
fn size(axes: &[isize]) -> isize {
    axes.iter()
        .try_fold(1_isize, |product, &axis| if axis < 0 { None } else { product.checked_mul(axis) })
        .unwrap_or(-1)
}

/// Elements from the first of an image to its last, of a geometry that has been checked.
fn span(samples: isize, [height, width, channels]: [isize; 3], [sample, row, pixel]: [isize; 3]) -> isize {
    let or = |stride, closest| if stride == 0 { closest } else { stride };
    let pixel = or(pixel, channels);
    let row = or(row, width * pixel);
    match samples {
        0 => 0,
        _ => (samples - 1) * or(sample, height * row) + (height - 1) * row + (width - 1) * pixel + channels,
    }
}

fn large_span(g: &Geometry2d) -> isize {
    let strides = [g.large_sample_stride, g.large_row_stride, g.large_pixel_stride];
    span(g.samples, [g.large_height, g.large_width, g.large_channels], strides)
}

fn small_span(g: &Geometry2d) -> isize {
    let strides = [g.small_sample_stride, g.small_row_stride, g.small_pixel_stride];
    span(g.samples, [g.small_height, g.small_width, g.small_channels], strides)
}

fn plus(a: isize, b: isize) -> isize {
    if a < 0 || b < 0 {
        return -1;
    }
    a.checked_add(b).unwrap_or(-1)
}

fn need<T>(name: &str, found: &[T], wanted: isize) -> Result<(), Refusal> {
    match found.len() as isize == wanted {
        true => Ok(()),
        false if wanted < 0 => refuse(sys::HG_ERROR_COUNT, format!("the extents of {name} are negative or too large")),
        false => refuse(sys::HG_ERROR_COUNT, format!("{name} has {} elements instead of {wanted}", found.len())),
    }
}

fn need_some<T>(name: &str, found: Option<&[T]>, wanted: isize) -> Result<(), Refusal> {
    found.map_or(Ok(()), |found| need(name, found, wanted))
}

fn pointer<T>(slice: Option<&[T]>) -> *const T {
    slice.map_or(ptr::null(), |slice| slice.as_ptr())
}

fn pointer_mut<T>(slice: Option<&mut [T]>) -> *mut T {
    slice.map_or(ptr::null_mut(), |slice| slice.as_mut_ptr())
}

// ------------------------------------------------------------------------------ threads and instruction sets

/// Refuses a number of threads as all calls do.
pub fn parallel_check(parallel: &Parallel) -> Result<(), Refusal> {
    check(unsafe { sys::hg_parallel_check(&parallel.raw()) })
}

/// Calls body(thread) for each of the threads, on that thread. A panic of the body aborts the program.
pub fn on_each_thread(parallel: &Parallel, body: &(dyn Fn(isize) + Sync)) -> Result<(), Refusal> {
    unsafe extern "C" fn run(body: *mut c_void, thread: isize) {
        (*(body as *const &(dyn Fn(isize) + Sync)))(thread);
    }
    check(unsafe { sys::hg_on_each_thread(&parallel.raw(), run, &body as *const _ as *mut c_void) })
}

/// Version of the library that runs, "major.minor.patch".
pub fn version() -> &'static str {
    text(unsafe { sys::hg_version() })
}

/// Name of the instruction set in use.
pub fn isa_name() -> &'static str {
    text(unsafe { sys::hg_isa_name() })
}

/// Names of the instruction sets that this build and this machine have, the widest first.
pub fn isa_names() -> impl Iterator<Item = &'static str> {
    (0..).map(|index| unsafe { sys::hg_isa_names(index) }).take_while(|name| !name.is_null()).map(text)
}

/// Chooses the instruction set of all later calls, "" for the widest.
///
/// # Safety
/// No other call may run meanwhile.
pub unsafe fn isa_select(name: &str) -> Result<(), Refusal> {
    match CString::new(name) {
        Ok(name) => check(sys::hg_isa_select(name.as_ptr())),
        Err(_) => refuse(sys::HG_ERROR_ISA, "the name has a zero inside".into()),
    }
}

/// Whether the instruction set in use fuses multiply and add.
pub fn isa_has_fma() -> bool {
    unsafe { sys::hg_isa_has_fma() }
}

/// Whether the library was built with OpenMP.
pub fn has_openmp() -> bool {
    unsafe { sys::hg_has_openmp() }
}
