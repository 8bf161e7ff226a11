#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
echo "boot={kernel=\"k\";}; devices = ("; for ((i = 0; i < 300; i++)); do echo "{type=\"test-bus\";},"; done; echo "{type=\"test-bus\";});"
