/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON on stdout. Every result is one object, so that members can be added later.
 */
#include "cli.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int json_emit(struct cli *cli, json_t *value) {
    if (value == NULL) {
        return fail(cli, SELSNAP_ENOMEM, "result");
    }
    int failed = json_dumpf(value, cli->out, JSON_INDENT(2));
    json_decref(value);
    if (failed != 0) {
        return fail_with(cli, SELSNAP_EIO, "cannot be written", "result");
    }
    fputc('\n', cli->out);
    return CLI_OK;
}

void json_stream(struct cli *cli, json_t *value) {
    if (value != NULL) {
        /* A failed write leaves stdout's error flag set, which main() looks at. */
        (void)json_dumpf(value, cli->out, JSON_COMPACT | JSON_ENCODE_ANY);
        json_decref(value);
    }
}

json_t *json_u64(uint64_t value) {
    if (value <= INT64_MAX) {
        return json_integer((json_int_t)value);
    }
    char text[24];
    snprintf(text, sizeof(text), "%" PRIu64, value);
    return json_string(text);
}

json_t *json_text(const char *text) {
    json_t *value = json_string(text);
    if (value == NULL) {
        char *copy = strdup(text);
        for (char *c = copy; c != NULL && *c != '\0'; c++) {
            if ((unsigned char)*c >= 0x80) {
                *c = '?';
            }
        }
        value = copy == NULL ? NULL : json_string(copy);
        free(copy);
    }
    return value;
}

json_t *json_ranges(const selsnap_subset *subset) {
    json_t *list = json_array();
    selsnap_range range = {0, 0};
    while (list != NULL && selsnap_subset_next(subset, range.offset + range.len, &range) == SELSNAP_OK) {
        json_t *item = json_pack("{s:o, s:o}", "offset", json_u64(range.offset), "length", json_u64(range.len));
        if (json_array_append_new(list, item) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}
