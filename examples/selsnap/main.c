/* SPDX-License-Identifier: Apache-2.0 */
/*
 * selsnap: selective block snapshots from the command line.
 */
#include "cli.h"
#include "system.h"

int main(int argc, char **argv) {
    struct cli cli;
    system_start(&argc, &argv);
    cli_init(&cli);
    return cli_run(&cli, argc > 0 ? argc - 1 : 0, argv + 1);
}
