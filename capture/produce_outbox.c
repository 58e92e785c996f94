/*
 * produce_outbox.c: records on their way into Kafka's queue. Keys, values and headers are pieces of one buffer, named
 * by offsets since the buffer may move while it grows.
 */
#include "capture/produce_outbox.h"

#include <string.h>

/* More than this is not kept from one item to the next. */
#define BYTES_KEPT ((size_t)256 << 10)

void outbox_init(struct outbox *outbox, size_t max)
{
	memset(outbox, 0, sizeof *outbox);
	buf_init(&outbox->bytes, max);
}

void outbox_release(struct outbox *outbox)
{
	buf_release(&outbox->bytes);
}

bool outbox_empty(const struct outbox *outbox)
{
	return outbox->next == outbox->count;
}

void outbox_reset(struct outbox *outbox)
{
	size_t max = outbox->bytes.max;

	outbox->count = 0;
	outbox->next = 0;
	if (outbox->bytes.size > BYTES_KEPT) {
		buf_release(&outbox->bytes);
		buf_init(&outbox->bytes, max);
	}
	buf_reset(&outbox->bytes);
}

struct outbox_record *outbox_add(struct outbox *outbox, struct kafka_topic *topic, int32_t partition, uint64_t token)
{
	struct outbox_record *record;

	if (outbox->count == OUTBOX_RECORDS)
		return NULL;
	record = &outbox->records[outbox->count++];
	*record = (struct outbox_record){
		.topic = topic,
		.partition = partition,
		.token = token,
		.before = FAILPOINT_COUNT,
		.after = FAILPOINT_COUNT,
	};
	return record;
}

static int hand_over(struct outbox *outbox, const struct outbox_record *from, struct kafka_producer *producer,
	struct error *err)
{
	const char *bytes = outbox->bytes.data;
	struct kafka_header header;
	struct kafka_record record = {
		.partition = from->partition,
		.key = from->keyed ? bytes + from->key.at : NULL,
		.key_len = from->keyed ? from->key.len : 0,
		.value = from->valued ? bytes + from->value.at : NULL,
		.value_len = from->valued ? from->value.len : 0,
		.token = from->token,
	};

	if (from->header != NULL) {
		header = (struct kafka_header){ from->header, bytes + from->header_value.at, from->header_value.len };
		record.headers = &header;
		record.header_count = 1;
	}
	return kafka_produce(producer, from->topic, &record, err);
}

int outbox_flush(struct outbox *outbox, struct kafka_producer *producer, struct flight *flight, struct error *err)
{
	while (outbox->next < outbox->count) {
		struct outbox_record *record = &outbox->records[outbox->next];
		int before = record->before, taken;

		record->before = FAILPOINT_COUNT; /* once, also if the queue is full now */
		if (before != FAILPOINT_COUNT && failpoint_reach((enum failpoint)before, err) < 0)
			return -1;
		taken = hand_over(outbox, record, producer, err);
		if (taken <= 0)
			return taken;
		outbox->next++;
		outbox->handed_bytes += record->key.len + record->value.len;
		flight_sent(flight, record->token);
		if (record->after != FAILPOINT_COUNT && failpoint_reach((enum failpoint)record->after, err) < 0)
			return -1;
	}
	outbox_reset(outbox);
	return 1;
}
