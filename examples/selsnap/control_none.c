/* SPDX-License-Identifier: Apache-2.0 */
/* Where there are no sockets that pass files on, there is no server to ask. */
#include "cli.h"
#include <stdlib.h>

bool control_run(struct cli *cli, int words, int argc, char **argv, int *ret_result) {
    const char *path = cli->args.control != NULL ? cli->args.control : getenv("SELSNAP_CONTROL");
    (void)words;
    (void)argc;
    (void)argv;
    if (cli->command->alone || cli->args.to != NULL || path == NULL || path[0] == '\0') {
        return false;
    }
    *ret_result = fail_with(cli, SELSNAP_ENOTSUP, "this system has no control sockets", "control socket '%s'", path);
    return true;
}
