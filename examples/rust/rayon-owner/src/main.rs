//! Rayon owns the threads: parts of a kernel run beside whatever else its pool does.
use hourglass_kernels::{Activation, Convolution, Geometry2d, Parallel, ParallelFor};
use rayon::prelude::*;

struct Rayon;

// The iterator hands out each part once, and for_each waits.
unsafe impl ParallelFor for Rayon {
    fn run(&self, parts: isize, body: &(dyn Fn(isize) + Sync)) {
        (0..parts).into_par_iter().for_each(body);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let window = Geometry2d {
        samples: 8,
        large_height: 28,
        large_width: 28,
        large_channels: 16,
        small_height: 14,
        small_width: 14,
        small_channels: 32,
        filter_height: 4,
        filter_width: 4,
        stride_vertical: 2,
        stride_horizontal: 2,
        pad_top: 1,
        pad_left: 1,
        ..Default::default()
    };
    let threads = rayon::current_num_threads() as isize;
    let mut outputs = Vec::new();
    for parallel in [Parallel::OpenMP(1), Parallel::Owner(threads.max(2), &Rayon)] {
        let mut convolution = Convolution::new(window, parallel)?;
        let wave = |count: usize| (0..count).map(|i| (i as f32 * 0.37).sin()).collect::<Vec<_>>();
        convolution.set_filter(&wave(convolution.filter_count()))?;
        let (x, mut y) = (wave(convolution.large_count()), vec![0.0; convolution.small_count()]);
        convolution.forward(&x, None, Activation::RELU, &mut y)?;
        outputs.push(y);
    }
    if outputs[0] != outputs[1] {
        return Err("rayon's threads give other bits than one thread".into());
    }
    println!("{threads} threads of rayon give the bits of one thread");
    Ok(())
}
