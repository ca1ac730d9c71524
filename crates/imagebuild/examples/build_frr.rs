//! Builds the `frr` image: `cargo run -p vnflab-imagebuild --example build_frr -- OUT.qcow2`.
//!
//! The second argument, if any, is the cache folder (`~/.cache/vnflab/image` otherwise).

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use vnflab_imagebuild::{ImageBuild, build_frr};

#[allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example talks to a person"
)]
fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let Some(output) = arguments.next() else {
        eprintln!("usage: build_frr OUT.qcow2 [CACHE_DIR]");
        return ExitCode::from(2);
    };
    let home = std::env::home_dir().unwrap_or_else(|| PathBuf::from("."));
    let cache_dir = arguments
        .next()
        .unwrap_or_else(|| home.join(".cache/vnflab/image"));
    let started = Instant::now();
    let request = ImageBuild {
        output,
        cache_dir,
        mirror: None,
    };
    let show = |step| eprintln!("{:6.1} s  {step:?}", started.elapsed().as_secs_f64());
    match build_frr(&request, &show) {
        Ok(image) => {
            println!(
                "{} ({} packages)",
                image.path.display(),
                image.packages.len()
            );
            println!("sha256       {}", image.sha256);
            println!(
                "file size    {:.1} MiB",
                image.file_size_bytes as f64 / 1_048_576.0
            );
            println!("disk size    {} MiB", image.virtual_size_bytes >> 20);
            println!("kernel       {}", image.kernel_version);
            println!("built in     {:.1} s", started.elapsed().as_secs_f64());
            ExitCode::SUCCESS
        }
        Err(error) => {
            let mut cause: &dyn std::error::Error = &error;
            eprintln!("error: {cause}");
            while let Some(deeper) = cause.source() {
                eprintln!("  because: {deeper}");
                cause = deeper;
            }
            ExitCode::FAILURE
        }
    }
}
