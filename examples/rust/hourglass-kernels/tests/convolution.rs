//! A convolution on every owner of threads: equal bits, the definition, adjoint passes, refusals.
use hourglass_kernels::{geometry, Activation, Convolution, Geometry, Parallel, ScopedThreads};

fn window() -> Geometry {
    Geometry {
        samples: 3,
        large_height: 12,
        large_width: 10,
        large_channels: 5,
        small_height: 6,
        small_width: 5,
        small_channels: 18,
        filter_height: 4,
        filter_width: 4,
        stride_vertical: 2,
        stride_horizontal: 2,
        pad_top: 1,
        pad_left: 1,
        ..geometry()
    }
}

/// Whole numbers within 3 of zero, so that sums are exact in any order.
fn whole(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 7919 + seed * 104729) % 7) as f32 - 3.0).collect()
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

#[test]
fn every_owner_of_threads_gives_the_definition() {
    for parallel in [Parallel::OpenMP(1), Parallel::OpenMP(3), Parallel::Owner(3, &ScopedThreads)] {
        let mut convolution = Convolution::new(window(), parallel).unwrap();
        let (x, filter) = (whole(convolution.large_count(), 1), whole(convolution.filter_count(), 2));
        let (mut y, mut wanted) = (vec![0.0; convolution.small_count()], vec![0.0; convolution.small_count()]);
        convolution.set_filter(&filter).unwrap();
        convolution.forward(&x, None, Activation::Linear, &mut y).unwrap();
        convolution.reference(&x, &filter, &mut wanted).unwrap();
        assert_eq!(y, wanted);

        // The three passes are partial evaluations of one bilinear form.
        let dy = whole(convolution.small_count(), 3);
        let (mut dx, mut dfilter, mut dbias) = (vec![0.0; x.len()], vec![0.0; filter.len()], vec![0.0; 18]);
        convolution.backward_data(&dy, &mut dx).unwrap();
        convolution.backward_filter(&x, &dy, &mut dfilter, &mut dbias).unwrap();
        assert_eq!(dot(&y, &dy), dot(&x, &dx));
        assert_eq!(dot(&y, &dy), dot(&filter, &dfilter));
    }
}

#[test]
fn what_cannot_be_computed_is_refused_with_a_sentence() {
    let refused = |g: Geometry| Convolution::new(g, Parallel::OpenMP(1)).err().unwrap().0;
    assert_eq!(refused(Geometry { stride_vertical: 0, ..window() }), "the vertical stride is below 1");
    assert_eq!(refused(Geometry { size: 8, ..window() }), "geometry.size is not sizeof(hg_geometry2d)");
    let mut convolution = Convolution::new(window(), Parallel::OpenMP(1)).unwrap();
    let mut y = vec![0.0; convolution.small_count()];
    let refusal = convolution.forward(&[0.0; 3], None, Activation::Relu, &mut y).unwrap_err();
    assert_eq!(refusal.0, "x has 3 elements instead of 1800");
}
