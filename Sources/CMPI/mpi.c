/* The only file that sees mpi.h: `make mpi` builds it into libhourglass_mpi.so with the mpicc of the machine. */
#include "hourglass_mpi.h"

#include <mpi.h>
#include <stdio.h>
#include <string.h>

_Static_assert(sizeof(MPI_Request) <= sizeof(hg_mpi_message), "a request fits into a message");
#define REQUEST(message) ((MPI_Request *)(void *)(message))
#define TRY(call)                           \
  do {                                      \
    const int error = (call);               \
    if (error != MPI_SUCCESS) return error; \
  } while (0)

static MPI_Comm all = MPI_COMM_NULL;
static MPI_Comm nodes = MPI_COMM_NULL; /* the first processes of all nodes, in their order */

static int join_nodes(int isFirst) {
  TRY(MPI_Comm_split(all, isFirst ? 0 : MPI_UNDEFINED, 0, &nodes));
  return nodes == MPI_COMM_NULL ? MPI_SUCCESS : MPI_Comm_set_errhandler(nodes, MPI_ERRORS_RETURN);
}

static int separate(void) { return join_nodes(1); }

/* Processes of a node get neighbouring positions, whatever order the launcher gave them, so that what goes from
 * position to position enters each node once. Nodes are ordered by their lowest rank. */
static int begin(hg_mpi_place *place) {
  int provided, world, local, locals;
  MPI_Comm node;
  TRY(MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided));
  if (provided < MPI_THREAD_FUNNELED) return MPI_ERR_OTHER;
  TRY(MPI_Comm_rank(MPI_COMM_WORLD, &world));
  TRY(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, world, MPI_INFO_NULL, &node));
  TRY(MPI_Comm_rank(node, &local));
  TRY(MPI_Comm_size(node, &locals));
  int first = world;
  TRY(MPI_Bcast(&first, 1, MPI_INT, 0, node));
  TRY(MPI_Comm_free(&node));
  TRY(MPI_Comm_split(MPI_COMM_WORLD, 0, first, &all)); /* ties keep the order of the ranks */
  TRY(MPI_Comm_set_errhandler(all, MPI_ERRORS_RETURN));
  int position, count, nodeCount, upTo;
  const int isFirst = local == 0;
  TRY(MPI_Comm_rank(all, &position));
  TRY(MPI_Comm_size(all, &count));
  TRY(MPI_Scan(&isFirst, &upTo, 1, MPI_INT, MPI_SUM, all));
  TRY(MPI_Allreduce(&isFirst, &nodeCount, 1, MPI_INT, MPI_SUM, all));
  *place = (hg_mpi_place){position, count, local, locals, upTo - 1, nodeCount};
  return join_nodes(isFirst);
}

static int send(const void *from, size_t bytes, int to, hg_mpi_message *message) {
  return MPI_Isend(from, (int)bytes, MPI_BYTE, to, 0, all, REQUEST(message));
}

static int receive(void *to, size_t bytes, int from, hg_mpi_message *message) {
  return MPI_Irecv(to, (int)bytes, MPI_BYTE, from, 0, all, REQUEST(message));
}

static int test(hg_mpi_message *message, int *isDone) { return MPI_Test(REQUEST(message), isDone, MPI_STATUS_IGNORE); }

static int gather(uint32_t *words, const int32_t *counts, const int32_t *offsets, bool isOfNodes) {
  return MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, words, counts, offsets, MPI_UINT32_T,
                        isOfNodes ? nodes : all);
}

static void text(int error, char *to, size_t room) {
  char found[MPI_MAX_ERROR_STRING] = "unknown error";
  int length;
  MPI_Error_string(error, found, &length);
  snprintf(to, room, "%s", found);
}

static void version(char *to, size_t room) {
  char found[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length;
  MPI_Get_library_version(found, &length);
  found[strcspn(found, "\n,")] = 0;
  char *tab = strchr(found, '\t'); /* MPICH's has one */
  if (tab) *tab = ' ';
  snprintf(to, room, "%s", found);
}

static void endAll(int status) { MPI_Abort(all == MPI_COMM_NULL ? MPI_COMM_WORLD : all, status); }

static int end(void) { return MPI_Finalize(); }

static const hg_mpi calls = {sizeof calls, begin, send, receive, test, gather, separate, text, version, endAll, end};

const hg_mpi *hourglass_mpi(void) { return &calls; }
