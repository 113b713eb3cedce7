/* SPDX-License-Identifier: BSD-2-Clause */
/* protobuf.c - numbers of seven bits a byte, fields with their number and kind before them. */
#include "protobuf.h"

#include "xalloc.h"

enum { VARINT = 0, LENGTH = 2 };

static uint8_t *room(struct protobuf *p, size_t more)
{
	if (p->room - p->length < more) {
		p->room = (p->room + more) * 2;
		p->bytes = xreallocarray(p->bytes, p->room, 1);
	}
	return p->bytes + p->length;
}

void protobuf_number(struct protobuf *p, uint64_t value)
{
	uint8_t *to = room(p, 10), *start = to;

	for (; value > 127; value >>= 7)
		*to++ = (uint8_t)(value | 128);
	*to++ = (uint8_t)value;
	p->length += (size_t)(to - start);
}

void protobuf_integer(struct protobuf *p, unsigned field, uint64_t value)
{
	if (value == 0)
		return;
	protobuf_number(p, field << 3 | VARINT);
	protobuf_number(p, value);
}

void protobuf_bytes(struct protobuf *p, unsigned field, const void *bytes, size_t length)
{
	protobuf_number(p, field << 3 | LENGTH);
	protobuf_number(p, length);
	memcpy(room(p, length), bytes, length);
	p->length += length;
}

void protobuf_message(struct protobuf *p, unsigned field, struct protobuf *message)
{
	protobuf_bytes(p, field, message->bytes ? message->bytes : (const uint8_t *)"", message->length);
	message->length = 0;
}

void protobuf_free(struct protobuf *p)
{
	free(p->bytes);
	*p = (struct protobuf){0};
}
