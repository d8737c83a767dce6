/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing the next operation. */
#include "model.h"

static void close_view(struct model *m) {
    model_view_close(m, (unsigned)prng_below(&m->prng, MODEL_VIEWS));
}

void model_operation(struct model *m) {
    static const struct {
        unsigned weight;
        void (*run)(struct model *m);
    } operations[] = {
        {10, model_write},       {2, model_zeroes},     {2, model_discard},    {2, model_flush},
        {3, model_create},       {1, model_delete},     {1, model_rename},     {1, model_holds},
        {1, model_save},         {1, model_unname},     {1, model_restore},    {4, model_step},
        {1, model_pause},        {2, model_view_open},  {2, model_view_read},  {3, model_view_write},
        {1, model_view_discard}, {1, model_view_flush}, {1, model_view_reset}, {1, close_view},
        {1, model_reopen},       {4, model_batch},      {1, model_bookmark},   {2, model_check_diff},
        {1, model_clone},        {1, model_quota},
    };
    unsigned total = 0;
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        total += operations[i].weight;
    }
    uint64_t pick = prng_below(&m->prng, total);
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        if (pick < operations[i].weight) {
            operations[i].run(m);
            return;
        }
        pick -= operations[i].weight;
    }
}
