#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# growth_minute.sh - growth_nginx.sh with a minute of load for each of its halves.
SECONDS_OF_LOAD=60 exec bash "$(dirname "$0")/../growth_nginx.sh"
