//! Finds the installed library by pkg-config. Programs find it at run time by the run path, which `links` hands on.
use std::process::Command;

fn pkg_config(argument: &str) -> String {
    let output = Command::new("pkg-config").args([argument, "hourglass_kernels"]).output();
    match output {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_string(),
        _ => panic!("pkg-config does not find hourglass_kernels: make install, then set PKG_CONFIG_PATH"),
    }
}

fn main() {
    let folder = pkg_config("--variable=libdir");
    println!("cargo:rustc-link-search=native={folder}");
    println!("cargo:rustc-link-lib=dylib=hourglass_kernels");
    println!("cargo:libdir={folder}");
    println!("cargo:rerun-if-env-changed=PKG_CONFIG_PATH");
}
