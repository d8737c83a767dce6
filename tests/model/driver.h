/* SPDX-License-Identifier: Apache-2.0 */
/* Runs sequences of model operations: a count of them for a build, one to replay, or as many as fit in a time. */
#ifndef SSN_MODEL_DRIVER_H
#define SSN_MODEL_DRIVER_H

#include "model.h"

struct driver {
    const char *program;
    const struct config *configs;
    size_t config_count;
    bool cuts;
    uint64_t (*run)(struct model *m); /* gives the number of sequences or images */
};

/* As a cmocka test: seeds 1 .. sequences. */
void driver_run(const struct driver *driver, const char *config, uint64_t sequences, uint64_t steps, void **state);
/* With --config, --seed, --steps, --trace, or --hours. */
int driver_main(const struct driver *driver, int argc, char **argv);

#endif
