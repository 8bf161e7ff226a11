#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
printf "boot = { kernel = \""; head -c 10000000 /dev/zero | tr "\0" x; printf "\"; };\n"
