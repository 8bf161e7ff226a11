#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
printf 'boot = {\n kernel = "a\0b"; };\n'
