//! A convolution on every owner of threads: equal bits, the definition, adjoint passes, refusals.
use hourglass_kernels::{operations, Activation, Convolution, Geometry2d, Parallel, Resampling2d};
use hourglass_kernels::{ResamplingAxis, ScopedThreads};
use hourglass_kernels_sys as sys;

fn window() -> Geometry2d {
    Geometry2d {
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
        ..Default::default()
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
        convolution.forward(&x, None, Activation::LINEAR, &mut y).unwrap();
        let (null, g) = (std::ptr::null(), window());
        unsafe { sys::hg_reference_conv2d_forward(&g, x.as_ptr(), filter.as_ptr(), null, 0, wanted.as_mut_ptr()) };
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

/// Two convolutions write their channels side by side, each from its first element to its last.
#[test]
fn images_may_lie_inside_wider_ones() {
    let strided = Geometry2d { small_pixel_stride: 40, ..window() };
    let mut wide = vec![f32::NAN; 3 * 6 * 5 * 40];
    for (first, seed) in [(0, 1), (22, 2)] {
        let mut dense = Convolution::new(window(), Parallel::OpenMP(1)).unwrap();
        let mut convolution = Convolution::new(strided, Parallel::OpenMP(2)).unwrap();
        let (x, filter) = (whole(dense.large_count(), seed), whole(dense.filter_count(), 3));
        let (mut y, span) = (vec![0.0; dense.small_count()], convolution.small_count());
        dense.set_filter(&filter).unwrap();
        convolution.set_filter(&filter).unwrap();
        dense.forward(&x, None, Activation::RELU, &mut y).unwrap();
        convolution.forward(&x, None, Activation::RELU, &mut wide[first..first + span]).unwrap();
        for (pixel, wanted) in wide.chunks(40).zip(y.chunks(18)) {
            assert_eq!(&pixel[first..first + 18], wanted);
            assert!(pixel[18..22].iter().all(|float| float.is_nan()));
        }
        assert!(convolution.forward(&x, None, Activation::RELU, &mut y).is_err());
    }
}

#[test]
fn what_cannot_be_computed_is_refused_with_a_sentence() {
    let refused = |g: Geometry2d| Convolution::new(g, Parallel::OpenMP(1)).err().unwrap().sentence;
    assert_eq!(refused(Geometry2d { stride_vertical: 0, ..window() }), "the vertical stride is below 1");
    // A struct of 1.0, whose last fields the library would not read.
    assert_eq!(refused(Geometry2d { size: 112, ..window() }), "the struct says size 112 instead of 192");
    let mut convolution = Convolution::new(window(), Parallel::OpenMP(1)).unwrap();
    let mut y = vec![0.0; convolution.small_count()];
    let refusal = convolution.forward(&[0.0; 3], None, Activation::RELU, &mut y).unwrap_err();
    assert_eq!(refusal.sentence, "x has 3 elements instead of 1800");
    assert_eq!(refusal.code, sys::HG_ERROR_COUNT);
    let huge = operations::squared_error(isize::MAX, 3, &[], &[], None, None, &Parallel::OpenMP(1)).unwrap_err();
    assert_eq!(huge.sentence, "the extents of y are negative or too large");
    let slopes = operations::prelu_forward(-1, -1, &[0.0], &[], &mut [0.0], &Parallel::OpenMP(1)).unwrap_err();
    assert_eq!(slopes.sentence, "the extents of x are negative or too large");
    let axis = ResamplingAxis { extent: 3, starts: &[0, 4], inputs: &[0, 1, 2], weights: &[1.0; 3] };
    assert_eq!(Resampling2d::new(1, 1, axis, axis).err().unwrap().sentence, "inputs has 3 elements instead of 4");
    let axis = ResamplingAxis { starts: &[0, 9, 3], ..axis };
    let resampling = Resampling2d::new(1, 1, axis, axis).unwrap();
    let refusal = operations::resample2d_check(&resampling).unwrap_err();
    assert_eq!(refusal.sentence, "the taps of a resampling end before they start");
}

#[test]
fn threads_and_instruction_sets() {
    let met = std::sync::Mutex::new(Vec::new());
    for parallel in [Parallel::OpenMP(3), Parallel::Owner(3, &ScopedThreads)] {
        hourglass_kernels::on_each_thread(&parallel, &|thread| met.lock().unwrap().push(thread)).unwrap();
        met.lock().unwrap().sort();
        assert_eq!(std::mem::take(&mut *met.lock().unwrap()), [0, 1, 2]);
    }
    assert!(hourglass_kernels::isa_names().any(|name| name == hourglass_kernels::isa_name()));
    assert!(hourglass_kernels::parallel_check(&Parallel::OpenMP(-1)).is_err());
    assert_eq!(hourglass_kernels::version().split('.').count(), 3);
    assert_eq!(unsafe { hourglass_kernels::isa_select("mmx") }.unwrap_err().code, sys::HG_ERROR_ISA);
}
