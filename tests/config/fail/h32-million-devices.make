#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
echo "devices = ("; for ((i = 0; i < 60000; i++)); do echo "{type=\"a\";},"; done; echo "{});"
