//! A convolution of the Hourglass kernels with slices instead of pointers. It owns its prepared weights and scratch, and
//! runs on whatever owns the threads: OpenMP, `std::thread::scope`, rayon.
use hourglass_kernels_sys as sys;
use std::ffi::{c_void, CStr};
use std::ptr;
pub use sys::hg_geometry2d as Geometry;

/// What the library says about arguments it refuses.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal(pub String);

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::error::Error for Refusal {}

fn check(refusal: sys::Refusal) -> Result<(), Refusal> {
    if refusal.is_null() {
        return Ok(());
    }
    // Sentences are static text of the library.
    Err(Refusal(unsafe { CStr::from_ptr(refusal) }.to_string_lossy().into_owned()))
}

/// Owns threads.
///
/// # Safety
/// `run` must call body(part) exactly once for each part in 0..parts, on any threads, and return when all have returned:
/// parts write memory that the caller of the kernel has lent.
pub unsafe trait ParallelFor: Sync {
    fn run(&self, parts: isize, body: &(dyn Fn(isize) + Sync));
}

/// A new thread for each part but the first.
pub struct ScopedThreads;

// Each part has a thread of its own, and the scope waits.
unsafe impl ParallelFor for ScopedThreads {
    fn run(&self, parts: isize, body: &(dyn Fn(isize) + Sync)) {
        std::thread::scope(|scope| {
            for part in 1..parts {
                scope.spawn(move || body(part));
            }
            body(0);
        });
    }
}

/// Who runs the parts of a call: `threads` threads of OpenMP, or of an owner.
#[derive(Clone, Copy)]
pub enum Parallel<'a> {
    OpenMP(isize),
    Owner(isize, &'a dyn ParallelFor),
}

struct Argument(*mut c_void);
// The library's parts write disjoint memory behind it.
unsafe impl Sync for Argument {}

/// A panic of the owner aborts the program: the C library cannot be unwound.
unsafe extern "C" fn run_owner(context: *mut c_void, parts: isize, body: sys::hg_body, argument: *mut c_void) {
    let owner = *(context as *const &dyn ParallelFor);
    let argument = Argument(argument);
    let argument = &argument;
    owner.run(parts, &move |part| unsafe { body(argument.0, part) });
}

impl Parallel<'_> {
    fn with<R>(&self, call: impl FnOnce(*const sys::hg_parallel) -> R) -> R {
        let size = std::mem::size_of::<sys::hg_parallel>();
        match self {
            Parallel::OpenMP(threads) => {
                call(&sys::hg_parallel { size, threads: *threads, parallel_for: None, context: ptr::null_mut() })
            }
            Parallel::Owner(threads, owner) => call(&sys::hg_parallel {
                size,
                threads: *threads,
                parallel_for: Some(run_owner),
                context: owner as *const &dyn ParallelFor as *mut c_void,
            }),
        }
    }
}

/// A geometry with its `size` and everything else 0 or 1.
pub fn geometry() -> Geometry {
    Geometry {
        size: std::mem::size_of::<Geometry>(),
        samples: 1,
        large_height: 1,
        large_width: 1,
        large_channels: 1,
        small_height: 1,
        small_width: 1,
        small_channels: 1,
        filter_height: 1,
        filter_width: 1,
        stride_vertical: 1,
        stride_horizontal: 1,
        pad_top: 0,
        pad_left: 0,
    }
}

/// Activations of the forward pass.
#[derive(Clone, Copy)]
pub enum Activation {
    Linear = sys::HG_ACTIVATION_LINEAR as isize,
    Relu = sys::HG_ACTIVATION_RELU as isize,
    Sigmoid = sys::HG_ACTIVATION_SIGMOID as isize,
}

/// A convolution from large images (N H W C) to small ones (N P Q K), filters R S C K.
pub struct Convolution<'a> {
    geometry: Geometry,
    parallel: Parallel<'a>,
    gather: Vec<sys::hg_gather_filter>,
    scatter: Vec<sys::hg_scatter_filter>,
    scratch: Vec<f32>,
}

fn need(name: &str, found: usize, wanted: usize) -> Result<(), Refusal> {
    match found == wanted {
        true => Ok(()),
        false => Err(Refusal(format!("{name} has {found} elements instead of {wanted}"))),
    }
}

impl<'a> Convolution<'a> {
    /// Takes all memory that the calls need, or says why there can be no such convolution.
    pub fn new(geometry: Geometry, parallel: Parallel<'a>) -> Result<Self, Refusal> {
        let g = &geometry as *const Geometry;
        unsafe {
            check(sys::hg_conv2d_check(g))?;
            parallel.with(|p| check(sys::hg_parallel_check(p)))?;
            let passes = [
                sys::hg_conv2d_forward_scratch,
                sys::hg_conv2d_backward_data_scratch,
                sys::hg_conv2d_backward_filter_scratch,
            ];
            let scratch = parallel.with(|p| passes.iter().map(|pass| pass(g, p)).max()).unwrap_or(0);
            let gather = vec![Default::default(); sys::hg_conv2d_prepared_gather_count(g) as usize];
            let scatter = vec![Default::default(); sys::hg_conv2d_prepared_scatter_count(g) as usize];
            Ok(Self { geometry, parallel, gather, scatter, scratch: vec![0.0; scratch as usize] })
        }
    }

    pub fn large_count(&self) -> usize {
        let g = &self.geometry;
        (g.samples * g.large_height * g.large_width * g.large_channels) as usize
    }

    pub fn small_count(&self) -> usize {
        let g = &self.geometry;
        (g.samples * g.small_height * g.small_width * g.small_channels) as usize
    }

    pub fn filter_count(&self) -> usize {
        let g = &self.geometry;
        (g.filter_height * g.filter_width * g.large_channels * g.small_channels) as usize
    }

    pub fn set_filter(&mut self, filter: &[f32]) -> Result<(), Refusal> {
        need("filter", filter.len(), self.filter_count())?;
        let (g, f) = (&self.geometry, filter.as_ptr());
        let (gather, scatter) = (self.gather.as_mut_ptr(), self.scatter.as_mut_ptr());
        check(self.parallel.with(|p| unsafe { sys::hg_conv2d_prepare_gather(g, f, gather, p) }))?;
        check(self.parallel.with(|p| unsafe { sys::hg_conv2d_prepare_scatter(g, f, scatter, p) }))
    }

    /// y = activation(bias + convolution of x).
    pub fn forward(
        &mut self,
        x: &[f32],
        bias: Option<&[f32]>,
        activation: Activation,
        y: &mut [f32],
    ) -> Result<(), Refusal> {
        need("x", x.len(), self.large_count())?;
        need("y", y.len(), self.small_count())?;
        if let Some(bias) = bias {
            need("bias", bias.len(), self.geometry.small_channels as usize)?;
        }
        let bias = bias.map_or(ptr::null(), |bias| bias.as_ptr());
        let (g, w, a, y) = (&self.geometry, self.gather.as_ptr(), activation as sys::hg_activation, y.as_mut_ptr());
        let s = self.scratch.as_mut_ptr();
        check(self.parallel.with(|p| unsafe { sys::hg_conv2d_forward(g, x.as_ptr(), w, bias, a, y, s, p) }))
    }

    /// dx from dy.
    pub fn backward_data(&mut self, dy: &[f32], dx: &mut [f32]) -> Result<(), Refusal> {
        need("dy", dy.len(), self.small_count())?;
        need("dx", dx.len(), self.large_count())?;
        let (g, w, s, dx) = (&self.geometry, self.scatter.as_ptr(), self.scratch.as_mut_ptr(), dx.as_mut_ptr());
        check(self.parallel.with(|p| unsafe {
            sys::hg_conv2d_backward_data(g, dy.as_ptr(), w, sys::HG_ACTIVATION_LINEAR, ptr::null(), dx, s, p)
        }))
    }

    /// dfilter and dbias from x and dy.
    pub fn backward_filter(
        &mut self,
        x: &[f32],
        dy: &[f32],
        dfilter: &mut [f32],
        dbias: &mut [f32],
    ) -> Result<(), Refusal> {
        need("x", x.len(), self.large_count())?;
        need("dy", dy.len(), self.small_count())?;
        need("dfilter", dfilter.len(), self.filter_count())?;
        need("dbias", dbias.len(), self.geometry.small_channels as usize)?;
        let (g, s, dw, db) = (&self.geometry, self.scratch.as_mut_ptr(), dfilter.as_mut_ptr(), dbias.as_mut_ptr());
        check(
            self.parallel
                .with(|p| unsafe { sys::hg_conv2d_backward_filter(g, x.as_ptr(), dy.as_ptr(), false, dw, db, s, p) }),
        )
    }

    /// The definition of forward, by plain loops: for tests.
    pub fn reference(&self, x: &[f32], filter: &[f32], y: &mut [f32]) -> Result<(), Refusal> {
        need("x", x.len(), self.large_count())?;
        need("filter", filter.len(), self.filter_count())?;
        need("y", y.len(), self.small_count())?;
        let (x, f, a) = (x.as_ptr(), filter.as_ptr(), sys::HG_ACTIVATION_LINEAR);
        unsafe { sys::hg_reference_conv2d_forward(&self.geometry, x, f, ptr::null(), a, y.as_mut_ptr()) };
        Ok(())
    }
}
