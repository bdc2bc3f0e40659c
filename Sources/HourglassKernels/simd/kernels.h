/* All kernels of one instruction set, and their table. Included once by each isa_*.c, which sets the parameters:
 *   HG_NAME, HG_TABLE   name of the instruction set and of the table
 *   HG_HAS_FMA          whether it fuses multiply and add
 *   HG_LANES            floats in a register
 *   HG_TILE_GROUPS      widest tile in groups of 16 columns, 1 or 4
 *   HG_TILE_ROWS        rows of a tile of one group, 3 or 6, where HG_TILE_GROUPS is 1 */
#include "vec.h"
/* */
#include "tile.h"
/* */
#include "conv2d.h"
#include "dense.h"
#include "winograd.h"
/* */
#include "flat.h"
#include "loss.h"
#include "pointwise.h"
#include "ssim.h"
/* */
#include "norm.h"
#include "pool2d.h"
#include "random.h"
#include "upsample2d.h"
/* */
#include "branch.h"
#include "noise.h"

const hg_kernels HG_TABLE = {
    .name = HG_NAME,
    .fma = HG_HAS_FMA,
    .gather = gather,
    .strips = strips,
    .filter = filter,
    .dots_gather = dots_gather,
    .dots_filter = dots_filter,
    .column_sums = column_sums,
    .winograd_prepare = winograd_prepare,
    .winograd_gather = winograd_gather,
    .winograd_filter_gradient = winograd_filter_gradient,
    .dense_forward = dense_forward,
    .dense_backward_data = dense_backward_data,
    .dense_backward_weight = dense_backward_weight,
    .max_pool_forward = max_pool_forward,
    .max_pool_backward = max_pool_backward,
    .transpose = transpose,
    .upsample_forward = upsample_forward,
    .upsample_backward = upsample_backward,
    .group_norm_forward = group_norm_forward,
    .group_norm_backward = group_norm_backward,
    .activation_forward = activation_forward,
    .activation_backward = activation_backward,
    .fork_backward = fork_backward,
    .join_forward = join_forward,
    .gelu_forward = gelu_forward,
    .gelu_backward = gelu_backward,
    .bernoulli_logits = bernoulli_logits,
    .squared_error = squared_error,
    .absolute_error = absolute_error,
    .huber_error = huber_error,
    .gaussian = gaussian,
    .gaussian_heads = gaussian_heads,
    .softmax_cross_entropy = softmax_cross_entropy,
    .ssim = ssim,
    .gaussian_latent_forward = gaussian_latent_forward,
    .gaussian_latent_backward = gaussian_latent_backward,
    .gaussian_free_bits = gaussian_free_bits,
    .gaussian_log_ratio = gaussian_log_ratio,
    .gaussian_log_ratio_backward = gaussian_log_ratio_backward,
    .importance_bound = importance_bound,
    .random_bits = random_bits,
    .random_uniform = random_uniform,
    .random_normal = random_normal,
    .dropout_forward = dropout_forward,
    .dropout_backward = dropout_backward,
    .gaussian_noise = gaussian_noise,
    .sum_shards = sum_shards,
    .first_nonfinite = first_nonfinite,
    .sum_of_squares = sum_of_squares,
    .adam = adam,
    .sgd = sgd,
    .rmsprop = rmsprop,
    .adagrad = adagrad,
    .adadelta = adadelta,
    .penalize = penalize,
    .moving_average = moving_average,
};
