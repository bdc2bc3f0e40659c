//! Programs find the library where pkg-config found it.
fn main() {
    if let Ok(folder) = std::env::var("DEP_HOURGLASS_KERNELS_SAFE_LIBDIR") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{folder}");
    }
}
