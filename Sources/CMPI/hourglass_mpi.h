/* What Hourglass wants of MPI, in types that are the same for every MPI. The program loads a library that fills this
 * table (mpi.c, built with the mpicc of the machine) and knows no MPI itself. */
#ifndef HOURGLASS_MPI_H
#define HOURGLASS_MPI_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A message under way: room for any MPI's request. */
typedef struct hg_mpi_message {
  uint64_t opaque[2];
} hg_mpi_message;

/* The place of a process: in the order in which shards are divided, on its node, and that of its node. */
typedef struct hg_mpi_place {
  int32_t position, count, local, localCount, node, nodes;
} hg_mpi_place;

/* Calls that answer a number answer 0, or an error for `text`. Only the thread that called `begin` may call them. */
typedef struct hg_mpi {
  size_t size; /* sizeof(hg_mpi) */
  int (*begin)(hg_mpi_place *place);
  /* Messages between two processes arrive in the order in which they were sent. */
  int (*send)(const void *from, size_t bytes, int to, hg_mpi_message *message);
  int (*receive)(void *to, size_t bytes, int from, hg_mpi_message *message);
  int (*test)(hg_mpi_message *message, int *isDone);
  /* Gives everybody counts[p] words at offsets[p] of each process p; among the first processes of all nodes, p is the
   * number of a node. */
  int (*gather)(uint32_t *words, const int32_t *counts, const int32_t *offsets, bool isOfNodes);
  /* From now on each process is a node. All call it together. */
  int (*separate)(void);
  void (*text)(int error, char *to, size_t room);
  void (*version)(char *to, size_t room);
  void (*endAll)(int status);
  int (*end)(void);
} hg_mpi;

const hg_mpi *hourglass_mpi(void);
#endif
