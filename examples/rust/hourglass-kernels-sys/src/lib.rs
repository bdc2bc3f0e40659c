//! The C library as it is: declarations, structs whose `default()` knows their size, and who runs the parts of a call.
#![allow(non_camel_case_types)]
use std::ffi::{c_char, c_void};

macro_rules! with_size {
    ($($name:ident),* $(,)?) => {$(
        impl Default for $name {
            fn default() -> Self {
                // Numbers, booleans and pointers, of all of which zero is one.
                Self { size: std::mem::size_of::<Self>(), ..unsafe { std::mem::zeroed() } }
            }
        }
    )*};
}

#[rustfmt::skip]
mod calls;
pub use calls::*;

/// NULL, or a sentence that lives as long as the program.
pub type Refusal = *const c_char;

pub type hg_body = unsafe extern "C" fn(argument: *mut c_void, part: isize);

#[repr(C)]
#[derive(Clone, Copy)]
pub struct hg_parallel {
    pub size: usize,
    pub threads: isize,
    pub parallel_for: Option<unsafe extern "C" fn(*mut c_void, isize, hg_body, *mut c_void)>,
    pub context: *mut c_void,
}

extern "C" {
    pub fn hg_parallel_check(parallel: *const hg_parallel) -> Refusal;
    pub fn hg_error_of(sentence: *const c_char) -> hg_error;
    pub fn hg_version() -> *const c_char;
    pub fn hg_isa_name() -> *const c_char;
    pub fn hg_isa_names(index: isize) -> *const c_char;
    pub fn hg_isa_select(name: *const c_char) -> Refusal;
    pub fn hg_isa_has_fma() -> bool;
    pub fn hg_has_openmp() -> bool;
    pub fn hg_on_each_thread(parallel: *const hg_parallel, body: hg_body, argument: *mut c_void) -> Refusal;
}
