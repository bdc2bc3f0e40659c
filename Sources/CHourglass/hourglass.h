/* Hourglass: training and use of convolutional autoencoders, as a C library (libhourglass.so).
 *
 * A model is made of settings or of the folder of a run, trained on images, and used: codes, reconstructions, scores
 * of anomalies, maps of where images are unusual, samples, files for other programs. Its numbers are those of the
 * program `hourglass` for the same recipe, to the bit, for any number of workers and threads.
 *
 * Calls. Every call but those that free or count answers a code: HOURGLASS_OK, or what was wrong. Then `*sentence`,
 * where `sentence` is not NULL, is a text that says what was wanted, what was found and what to do; the caller frees it
 * by hourglass_free_text. After HOURGLASS_OK it is NULL. A call that refuses its arguments has written to no array, and
 * one that fails leaves the model as it was before. Texts are UTF-8 and end in a zero. NULL where an argument is needed
 * is refused.
 *
 * Memory. Handles (hourglass_model, hourglass_images) are freed once, by their own call, when no other call uses them.
 * A call never reads or writes beyond what the extents, strides and counts of its arguments say; they must be true.
 *
 * Threads. Calls on one model from several threads wait for each other; calls on several models run at once. An
 * observer must not call functions of the model that it observes: they answer HOURGLASS_INVALID.
 *
 * Processes. A process that was made by fork after its parent had made a model has none of the threads that work: every
 * call answers HOURGLASS_FORKED in it. Start such processes anew (spawn, exec), or before the first model is made.
 *
 * Letters. N samples, H height, W width, C channels, Z units of a code. All arrays that calls write are row-major and
 * without gaps; images there are N x H x W x C. */
#ifndef HOURGLASS_H
#define HOURGLASS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a call answers. In brackets the exception that Python's package makes of it. */
typedef enum hourglass_code {
  HOURGLASS_OK = 0,
  HOURGLASS_INVALID = 1,   /* settings, images or other arguments that cannot be taken (ValueError) */
  HOURGLASS_NOT_FOUND = 2, /* a file or folder that is not there (FileNotFoundError) */
  HOURGLASS_EXISTS = 3,    /* a folder that is there already and is not empty (FileExistsError) */
  HOURGLASS_IO = 4,        /* a file that cannot be written (OSError) */
  HOURGLASS_MEMORY = 5,    /* more memory, or threads, than the system grants (MemoryError) */
  HOURGLASS_DIVERGED = 6,  /* training came to numbers that are not finite (FloatingPointError) */
  HOURGLASS_FORKED = 7     /* a process made by fork, see above (RuntimeError) */
} hourglass_code;

/* A model: a recipe, weights, what was measured while they were trained, and threads that wait for work. */
typedef struct hourglass_model hourglass_model;
/* Images that a model can read. */
typedef struct hourglass_images hourglass_images;

/* The type of the elements of an array. Integers stand for numbers in [0, 1], their value over 255 or 65535; floats
 * stand for themselves, doubles are rounded to floats. */
typedef enum hourglass_type {
  HOURGLASS_UINT8 = 1,
  HOURGLASS_UINT16 = 2,
  HOURGLASS_FLOAT32 = 3,
  HOURGLASS_FLOAT64 = 4
} hourglass_type;

/* An array in the caller's memory, with any distance between elements. `size` is sizeof(hourglass_array).
 *
 * The axes are N x H x W x C, N x C x H x W, N x H x W, or N x D, a vector of D numbers or all elements of an image; of
 * sequences N x L x C, N x C x L or N x L. The model's input tells which of them are meant. */
typedef struct hourglass_array {
  size_t size;
  const void *data;       /* the element 0, 0, ...; no alignment is wanted */
  int32_t type;           /* a hourglass_type */
  int32_t rank;           /* the number of axes, 2 to 4 */
  const int64_t *extents; /* of each axis */
  const int64_t *strides; /* bytes from one element to the next along each axis; NULL for an array without gaps */
} hourglass_array;

/* How far training is. Pointers hold during the call. */
typedef struct hourglass_progress {
  size_t size;         /* sizeof(hourglass_progress) of the library */
  int64_t step;        /* steps done */
  int64_t last_step;   /* the step after which training will end */
  int64_t epoch;       /* epochs done */
  int64_t samples;     /* samples trained on */
  double loss;         /* of the last step, or of the epoch where one has ended */
  const char *metrics; /* where an epoch has ended: its row of metrics.jsonl, a JSON object; else NULL */
} hourglass_progress;

/* Called by the thread that called hourglass_train: after each epoch, and between ten times a second at most. Another
 * answer than 0 ends the training. */
typedef int32_t (*hourglass_observer)(void *context, const hourglass_progress *progress);

/* The version of the library, as "1.1.0". */
const char *hourglass_version(void);

/* Frees a text that a call has made; NULL is nothing. */
void hourglass_free_text(char *text);

/* Makes a model of settings: a JSON object with the names of recipe.json and, beside them, `workers` and `threads`, as
 * `hourglass train --config` takes it. Of "model" alone it has to say something: a name, a file, or an object.
 *
 *     {"model": "conv-vae-28", "epochs": 20, "seed": 1, "optimizer": {"learningRate": 0.002}, "workers": 4}
 *
 * The weights are those that the seed draws. */
int32_t hourglass_make_model(const char *settings, hourglass_model **model, char **sentence);

/* Opens the model of a run that the program, or hourglass_save, has written. `checkpoint` is "last", "best" or
 * "previous"; NULL is "last". */
int32_t hourglass_open_model(const char *folder, const char *checkpoint, hourglass_model **model, char **sentence);

/* Frees a model; NULL is nothing. */
void hourglass_free_model(hourglass_model *model);

/* Writes a model as the folder of a run, which must not be there yet or be empty; the program reads it. */
int32_t hourglass_save(hourglass_model *model, const char *folder, char **sentence);

/* Describes a model as a JSON object, a new text in `*json`:
 *
 *     recipe        what decides the result, as recipe.json
 *     input         [H, W, C]
 *     output        [H, W, C] of what hourglass_reconstruct and hourglass_decode give of a sample
 *     code          [H, W, C] of a code, Z elements
 *     parameters    [{"name": ..., "shape": [...]}, ...]: PyTorch's names and shapes
 *     weightsHash   the identity of the weights, as the program prints it
 *     epochs        the rows of metrics.jsonl
 *     steps         the steps of training done
 *     putsOut       "image", "label" or "nothing"
 *     isVariational, hasPrior, readsLabels
 *     cannotDecode  why codes alone cannot be decoded; not there where they can */
int32_t hourglass_describe(hourglass_model *model, char **json, char **sentence);

/* Copies a parameter, row-major in PyTorch's shape, into `values`, which has room for `count` floats: as many as it
 * has. */
int32_t hourglass_read_parameter(hourglass_model *model, const char *name, float *values, int64_t count,
                                 char **sentence);

/* Replaces parameters: `count` of them, each with its name, its values and their number. All fit, or none is replaced.
 * Training starts from the recipe's seed all the same, unless hourglass_train is told otherwise. */
int32_t hourglass_write_parameters(hourglass_model *model, int64_t count, const char *const *names,
                                   const float *const *values, const int64_t *counts, char **sentence);

/* Makes images of an array, which stays where it is: it must not be freed or changed while the images are used.
 *
 * `labels` are one for each sample, from 0 on, for models that read labels; NULL for none. Floats that are not finite
 * are refused, but for NaN where the settings of the model have `data.preparation.missing`: such an element is missing,
 * it is no part of losses and scores, and the network sees that number in its place. The images may be used with all
 * models of the same input that take such elements. Cost: reads all floats once. */
int32_t hourglass_lend_images(hourglass_model *model, const hourglass_array *array, const int64_t *labels,
                              hourglass_images **images, char **sentence);

/* Opens the images at a path as `hourglass --data` does, prepared as those that the model is trained on. `split` is
 * "train", "validation" or "test"; NULL is "test". */
int32_t hourglass_open_images(hourglass_model *model, const char *path, const char *split, hourglass_images **images,
                              char **sentence);

/* The number of images N; 0 for NULL. */
int64_t hourglass_count_images(const hourglass_images *images);

/* Frees images; NULL is nothing. A lent array stays the caller's. */
void hourglass_free_images(hourglass_images *images);

/* How training starts and where it writes. `size` is sizeof(hourglass_training). */
typedef struct hourglass_training {
  size_t size;
  const char *folder;          /* the folder of a new run that is written meanwhile; NULL for none */
  int32_t keeps_weights;       /* not 0: starts from the model's weights in place of those of the recipe's seed */
  hourglass_observer observer; /* NULL for none */
  void *context;               /* handed to the observer */
} hourglass_training;

/* Trains a model by its recipe on images; NULL for those that the recipe names. `validation` is evaluated after every
 * epoch; NULL for what the recipe names, or nothing. `training` may be NULL.
 *
 * `*end`, where `end` is not NULL, becomes 0 where all steps are done, 1 where the recipe's patience ended the
 * training, 2 where the observer did; then the model has the weights of the best epoch that was done, by the loss that
 * is monitored, or where none was done those of the last step. */
int32_t hourglass_train(hourglass_model *model, const hourglass_images *images, const hourglass_images *validation,
                        const hourglass_training *training, int32_t *end, char **sentence);

/* Writes the codes of images, N x Z floats; of a variational model the means. `count` is the room, in floats. */
int32_t hourglass_encode(hourglass_model *model, const hourglass_images *images, float *codes, int64_t count,
                         char **sentence);

/* Writes the expected images of `samples` codes, N x Z floats without gaps. `labels` are NULL, or the class of each, of
 * a model that is told it. */
int32_t hourglass_decode(hourglass_model *model, const float *codes, int64_t samples, const int64_t *labels,
                         float *images, int64_t count, char **sentence);

/* Writes the expected images of images. */
int32_t hourglass_reconstruct(hourglass_model *model, const hourglass_images *images, float *reconstructions,
                              int64_t count, char **sentence);

/* Writes how unusual each image is, N doubles, as `hourglass score` does. `by` is "likelihood" or "error". */
int32_t hourglass_score(hourglass_model *model, const hourglass_images *images, const char *by, double *scores,
                        int64_t count, char **sentence);

/* Writes where images are unlike what the model expects, N x H x W floats. `kind` is "error", the squared error as the
 * mean over channels, or "ssim", 1 less the structural similarity. `sigma` smooths maps by a Gaussian, in pixels; 0 for
 * not. */
int32_t hourglass_map_errors(hourglass_model *model, const hourglass_images *images, const char *kind, double sigma,
                             float *maps, int64_t count, char **sentence);

/* Draws `samples` codes from the standard normal prior and writes their images, as `hourglass sample --seed` does. */
int32_t hourglass_sample(hourglass_model *model, int64_t samples, uint64_t seed, float *images, int64_t count,
                         char **sentence);

/* Writes files for other programs into a folder, as `hourglass export` does. `format` is "onnx", "safetensors" or
 * "npy". */
int32_t hourglass_export(hourglass_model *model, const char *format, const char *folder, char **sentence);

#ifdef __cplusplus
}
#endif

#endif
