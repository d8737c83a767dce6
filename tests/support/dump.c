/* SPDX-License-Identifier: Apache-2.0 */
#include "dump.h"

#include "test.h"

#include <stdlib.h>
#include <string.h>

struct dump_question {
    const char *begin;
    const char *also;
    const char *word;
    uint64_t count;
    uint64_t number;
};

static int on_line(void *user, const char *line) {
    struct dump_question *question = user;
    if (strncmp(line, question->begin, strlen(question->begin)) != 0 ||
        (question->also != NULL && strstr(line, question->also) == NULL)) {
        return 0;
    }
    if (question->count++ == 0 && question->word != NULL) {
        const char *at = strstr(line, question->word);
        assert_non_null(at);
        question->number = strtoull(at + strlen(question->word), NULL, 10);
    }
    return 0;
}

uint64_t dump_count(selsnap *ss, const char *begin, const char *also) {
    struct dump_question question = {begin, also, NULL, 0, 0};
    assert_ok(selsnap_dump(ss, on_line, &question));
    return question.count;
}

uint64_t dump_number(selsnap *ss, const char *begin, const char *also, const char *word) {
    struct dump_question question = {begin, also, word, 0, 0};
    assert_ok(selsnap_dump(ss, on_line, &question));
    assert_int_not_equal(question.count, 0);
    return question.number;
}

static int print_line(void *user, const char *line) {
    (void)user;
    print_message("%s\n", line);
    return 0;
}

void dump_print(selsnap *ss) {
    assert_ok(selsnap_dump(ss, print_line, NULL));
}
