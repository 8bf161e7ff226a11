#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
echo "a ="; for ((i = 0; i < 100000; i++)); do printf "("; done
