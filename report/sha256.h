/* SPDX-License-Identifier: BSD-2-Clause */
/* sha256.h - the hash by which a page's policy names the one script and the one style sheet it allows. */
#ifndef HEAPRAY_SHA256_H
#define HEAPRAY_SHA256_H

#include <stddef.h>

#define SHA256_BASE64 45 /* bytes of text, its end included */

void sha256_base64(const void *bytes, size_t length, char text[SHA256_BASE64]);

#endif
