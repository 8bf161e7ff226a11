#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
head -c 4096 /bin/true
