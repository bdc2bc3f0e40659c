/* MPI's own all-reduce of vectors of floats, whose order of sums no one promises: the peer of `bench exchange`.
 *
 *   make .build/allreduce_mpi
 *   mpirun -n 4 .build/allreduce_mpi ROUNDS FLOATS...
 *
 * prints one line of JSON: for each number of floats the seconds of each round at rank 0. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

static void fail(const char *what) {
  fprintf(stderr, "allreduce_mpi: %s\n", what);
  MPI_Abort(MPI_COMM_WORLD, 1);
}

int main(int count, char **words) {
  MPI_Init(&count, &words);
  int rank;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  const int rounds = count > 2 ? atoi(words[1]) : 0;
  if (rounds < 1) fail("wanted ROUNDS FLOATS...");
  for (int i = 2; i < count; i++) {
    const int floats = atoi(words[i]);
    float *x = floats > 0 ? malloc(sizeof(float) * floats) : NULL;
    if (!x) fail("wanted numbers of floats that memory can hold");
    for (int n = 0; n < floats; n++) x[n] = 1e-3f * (float)((n * 7 + rank * 13) % 1000);
    /* Two rounds open the connections. */
    for (int round = -2; round < rounds; round++) {
      MPI_Barrier(MPI_COMM_WORLD);
      const double start = MPI_Wtime();
      MPI_Allreduce(MPI_IN_PLACE, x, floats, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
      const double seconds = MPI_Wtime() - start;
      if (!rank && round >= 0) printf("%s%.9f", round ? "," : i > 2 ? "],[" : "[[", seconds);
    }
    free(x);
  }
  if (!rank) printf("]]\n");
  MPI_Finalize();
}
