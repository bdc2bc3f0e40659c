/* Trains an autoencoder on images of discs through the engine, and finds the squares among other images.
 *
 *     make && ./find_odd */
#include <hourglass.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SIDE = 16, TRAINED = 512, TRIED = 64, ODD = 8 };

/* Ends the program with the engine's sentence, if a call was refused. */
static void check(int32_t code, char *sentence) {
  if (code == HOURGLASS_OK) return;
  fprintf(stderr, "find_odd: code %d: %s\n", code, sentence ? sentence : "");
  exit(1);
}

/* A disc, or a square of its size, somewhere in an image of bytes. */
static void draw(unsigned char *image, int number, int is_square) {
  double y = 5 + number * 7 % 6, x = 5 + number * 11 % 7, size = 2.5 + number * 5 % 4 / 2.0;
  for (int h = 0; h < SIDE; h++)
    for (int w = 0; w < SIDE; w++) {
      double far = is_square ? fmax(fabs(h - y), fabs(w - x)) : hypot(h - y, w - x);
      image[h * SIDE + w] = (unsigned char)(255 * fmin(fmax(size - far + 0.5, 0), 1));
    }
}

static int32_t report(void *context, const hourglass_progress *progress) {
  (void)context;
  if (progress->metrics && progress->epoch % 10 == 0)
    printf("epoch %d: loss %.4f\n", (int)progress->epoch, progress->loss);
  return 0; /* another number ends the training */
}

int main(void) {
  static unsigned char trained[TRAINED][SIDE][SIDE], tried[TRIED][SIDE][SIDE];
  for (int n = 0; n < TRAINED; n++) draw(&trained[n][0][0], n, 0);
  for (int n = 0; n < TRIED; n++) draw(&tried[n][0][0], 1000 + n, n < ODD);

  char *sentence;
  hourglass_model *model;
  check(hourglass_make_model("{\"model\": \"conv-ae@16x16x1\", \"epochs\": 30, \"batchSize\": 32}", &model, &sentence),
        sentence);

  const int64_t extents[] = {TRAINED, SIDE, SIDE}, others[] = {TRIED, SIDE, SIDE};
  hourglass_array array = {sizeof array, trained, HOURGLASS_UINT8, 3, extents, NULL};
  hourglass_images *images, *unseen;
  check(hourglass_lend_images(model, &array, NULL, &images, &sentence), sentence);
  array.data = tried;
  array.extents = others;
  check(hourglass_lend_images(model, &array, NULL, &unseen, &sentence), sentence);

  hourglass_training training = {sizeof training, NULL, 0, report, NULL};
  check(hourglass_train(model, images, NULL, &training, NULL, &sentence), sentence);

  double scores[TRIED];
  check(hourglass_score(model, unseen, "error", scores, TRIED, &sentence), sentence);
  double highest = 0, mean_odd = 0, mean = 0;
  for (int n = 0; n < TRIED; n++) {
    highest = fmax(highest, scores[n]);
    *(n < ODD ? &mean_odd : &mean) += scores[n] / (n < ODD ? ODD : TRIED - ODD);
  }
  printf("squares score %.2f times as high as discs\n", mean_odd / mean);

  /* What is wrong is said in a sentence. */
  array.rank = 1;
  hourglass_images *none;
  if (hourglass_lend_images(model, &array, NULL, &none, &sentence) != HOURGLASS_OK) printf("refused: %s\n", sentence);
  hourglass_free_text(sentence);

  hourglass_free_images(images);
  hourglass_free_images(unseen);
  hourglass_free_model(model);
  return mean_odd > mean ? 0 : 1;
}
