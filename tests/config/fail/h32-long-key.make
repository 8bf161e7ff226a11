#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
printf "boot = { kernel = \"x\"; };\n"; head -c 100 /dev/zero | tr "\0" k; printf " = 1;\n"
