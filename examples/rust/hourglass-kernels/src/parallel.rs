//! Who runs the parts of a call.
use hourglass_kernels_sys as sys;
use std::ffi::c_void;
use std::ptr;

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
    /// The struct that the library reads; it points into self.
    pub(crate) fn raw(&self) -> sys::hg_parallel {
        let size = std::mem::size_of::<sys::hg_parallel>();
        match self {
            Parallel::OpenMP(threads) => {
                sys::hg_parallel { size, threads: *threads, parallel_for: None, context: ptr::null_mut() }
            }
            Parallel::Owner(threads, owner) => sys::hg_parallel {
                size,
                threads: *threads,
                parallel_for: Some(run_owner),
                context: owner as *const &dyn ParallelFor as *mut c_void,
            },
        }
    }
}
