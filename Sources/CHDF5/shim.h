#pragma once
#include <hdf5.h>

/* Constants that hdf5.h has as macros. */
static inline hid_t hg_h5_float(void) { return H5T_NATIVE_FLOAT; }
static inline hid_t hg_h5_uint8(void) { return H5T_NATIVE_UINT8; }
static inline hid_t hg_h5_uint16(void) { return H5T_NATIVE_UINT16; }
static inline hid_t hg_h5_dataset_access(void) { return H5P_DATASET_ACCESS; }
static inline hid_t hg_h5_default(void) { return H5P_DEFAULT; }
static inline hid_t hg_h5_all(void) { return H5S_ALL; }
static inline unsigned hg_h5_read_only(void) { return H5F_ACC_RDONLY; }

/* What a list of data sets is given to. */
typedef struct {
  void (*name)(const char *name, void *context);
  void *context;
} hg_h5_names;

static herr_t hg_h5_link(hid_t group, const char *name, const H5L_info_t *info, void *names) {
  if (info->type != H5L_TYPE_HARD) return 0;
  hid_t set = H5Dopen2(group, name, H5P_DEFAULT);
  if (set >= 0) {
    H5Dclose(set);
    ((hg_h5_names *)names)->name(name, ((hg_h5_names *)names)->context);
  }
  return 0;
}

/* Tells the names of all data sets, at any depth. */
static inline herr_t hg_h5_list(hid_t file, hg_h5_names *names) {
  return H5Lvisit(file, H5_INDEX_NAME, H5_ITER_INC, hg_h5_link, names);
}

static herr_t hg_h5_innermost(unsigned number, const H5E_error2_t *error, void *text) {
  if (number == 0) *(const char **)text = error->desc;
  return 0;
}

/* The innermost sentence of the last error, NULL where there is none; it lives until the next call. */
static inline const char *hg_h5_error(void) {
  const char *text = NULL;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, hg_h5_innermost, &text);
  return text;
}

/* What prints errors. */
typedef struct {
  H5E_auto2_t function;
  void *data;
} hg_h5_printer;

static inline hg_h5_printer hg_h5_silence(void) {
  hg_h5_printer printer = {NULL, NULL};
  H5Eget_auto2(H5E_DEFAULT, &printer.function, &printer.data);
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  return printer;
}

static inline void hg_h5_restore(hg_h5_printer printer) { H5Eset_auto2(H5E_DEFAULT, printer.function, printer.data); }
