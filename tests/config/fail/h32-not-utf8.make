#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
printf 'boot = {\n kernel = "a\xff"; };\n'
