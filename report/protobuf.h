/* SPDX-License-Identifier: BSD-2-Clause */
/* protobuf.h - the wire format of protocol buffers, as much as writing a profile takes. */
#ifndef HEAPRAY_PROTOBUF_H
#define HEAPRAY_PROTOBUF_H

#include <stddef.h>
#include <stdint.h>

struct protobuf {
	uint8_t *bytes;
	size_t length, room;
};

/* A number alone, as elements of a packed field are. */
void protobuf_number(struct protobuf *p, uint64_t value);
/* A field; 0 is what a reader takes a missing one for, and is left out. */
void protobuf_integer(struct protobuf *p, unsigned field, uint64_t value);
void protobuf_bytes(struct protobuf *p, unsigned field, const void *bytes, size_t length);
/* A message or a packed field: its bytes go in, and it is empty again. */
void protobuf_message(struct protobuf *p, unsigned field, struct protobuf *message);
void protobuf_free(struct protobuf *p);

#endif
