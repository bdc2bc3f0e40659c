//! A convolution that owns its prepared weights and scratch.
use crate::operations::*;
use crate::{large_span, parallel_check, small_span, Activation, Parallel, Refusal};

/// A convolution from large images (N H W C) to small ones (N P Q K), filters R S C K.
pub struct Convolution<'a> {
    geometry: Geometry2d,
    parallel: Parallel<'a>,
    gather: Vec<GatherFilter>,
    scatter: Vec<ScatterFilter>,
    scratch: Vec<f32>,
}

impl<'a> Convolution<'a> {
    /// Takes all memory that the calls need, or says why there can be no such convolution.
    pub fn new(geometry: Geometry2d, parallel: Parallel<'a>) -> Result<Self, Refusal> {
        let g = &geometry;
        conv2d_check(g)?;
        parallel_check(&parallel)?;
        let gather = vec![GatherFilter::default(); conv2d_prepared_gather_count(g)?];
        let scatter = vec![ScatterFilter::default(); conv2d_prepared_scatter_count(g)?];
        Ok(Self { geometry, parallel, gather, scatter, scratch: Vec::new() })
    }

    /// Elements of a large image, with those between where its strides in memory leave any.
    pub fn large_count(&self) -> usize {
        large_span(&self.geometry) as usize
    }

    pub fn small_count(&self) -> usize {
        small_span(&self.geometry) as usize
    }

    pub fn filter_count(&self) -> usize {
        let g = &self.geometry;
        (g.filter_height * g.filter_width * g.large_channels / g.groups.max(1) * g.small_channels) as usize
    }

    pub fn set_filter(&mut self, filter: &[f32]) -> Result<(), Refusal> {
        conv2d_prepare_gather(&self.geometry, filter, &mut self.gather, &self.parallel)?;
        conv2d_prepare_scatter(&self.geometry, filter, &mut self.scatter, &self.parallel)
    }

    /// y = activation(bias + convolution of x).
    pub fn forward(
        &mut self,
        x: &[f32],
        bias: Option<&[f32]>,
        activation: Activation,
        y: &mut [f32],
    ) -> Result<(), Refusal> {
        let (g, p) = (&self.geometry, &self.parallel);
        self.scratch.resize(conv2d_forward_scratch(g, p)?, 0.0);
        conv2d_forward(g, x, &self.gather, bias, activation, y, &mut self.scratch, p)
    }

    /// dx from dy.
    pub fn backward_data(&mut self, dy: &[f32], dx: &mut [f32]) -> Result<(), Refusal> {
        let (g, p) = (&self.geometry, &self.parallel);
        self.scratch.resize(conv2d_backward_data_scratch(g, p)?, 0.0);
        conv2d_backward_data(g, dy, &self.scatter, Activation::LINEAR, None, dx, &mut self.scratch, p)
    }

    /// dfilter and dbias from x and dy.
    pub fn backward_filter(
        &mut self,
        x: &[f32],
        dy: &[f32],
        dfilter: &mut [f32],
        dbias: &mut [f32],
    ) -> Result<(), Refusal> {
        let (g, p) = (&self.geometry, &self.parallel);
        self.scratch.resize(conv2d_backward_filter_scratch(g, p)?, 0.0);
        conv2d_backward_filter(g, x, dy, false, Some(dfilter), Some(dbias), &mut self.scratch, p)
    }
}
