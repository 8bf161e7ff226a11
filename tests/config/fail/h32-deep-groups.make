#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
for ((i = 0; i < 20000; i++)); do printf "a={"; done
