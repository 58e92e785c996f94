/*
 * codec_bench.c: what one event of a 15-column customer row costs in the codec. Not a test: it judges nothing, run
 * it by hand.
 *
 *     tests/unit/codec_bench [rounds [connector]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/unit/codec_support.h"

static double now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static double encode(struct codec_pair *pair, const struct encoder_table *et, struct change *chg, long rounds)
{
	double from = now_ns();

	for (long i = 0; i < rounds; i++) {
		chg->index = chg->table_index = (uint64_t)i + 1;
		chg->lsn += 330;
		buf_reset(&pair->value);
		if (encoder_change(et, chg, &codec_txn, CODEC_PREVIOUS, CODEC_NOW + i, &pair->value, &pair->err) < 0)
			return -1;
	}
	return (now_ns() - from) / (double)rounds;
}

static double encode_keys(struct codec_pair *pair, const struct encoder_table *et, const struct change *chg, long rounds)
{
	double from = now_ns();

	for (long i = 0; i < rounds; i++) {
		buf_reset(&pair->key);
		if (encoder_key(et, chg->after, &pair->key, &pair->err) < 0)
			return -1;
	}
	return (now_ns() - from) / (double)rounds;
}

static double decode(struct codec_pair *pair, long rounds)
{
	double from = now_ns();
	struct event event;

	for (long i = 0; i < rounds; i++) {
		arena_reset(&pair->arena);
		if (decoder_event(pair->decoder, pair->key.data, pair->key.len, pair->value.data, pair->value.len, &pair->arena,
			    &event, &pair->err) < 0)
			return -1;
	}
	return (now_ns() - from) / (double)rounds;
}

int main(int argc, char **argv)
{
	long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 1000000;
	struct change chg = { .op = CHANGE_INSERT, .table = &customer_table, .after = customer_row, .lsn = 23456789,
		.file = "binlog.000007" };
	struct encoder_table *et = NULL;
	struct codec_pair pair;
	double ns;

	codec_pair_open_for(&pair, argc > 2 ? argv[2] : "postgresql");
	expect_ok(encoder_table_new(pair.encoder, &customer_table, &et, &pair.err), &pair.err);
	(void)encode(&pair, et, &chg, rounds / 10 + 1);
	ns = encode(&pair, et, &chg, rounds);
	printf("encoder_change %7.0f ns, %zu bytes\n", ns, pair.value.len);
	ns = encode_keys(&pair, et, &chg, rounds);
	printf("encoder_key    %7.0f ns, %zu bytes\n", ns, pair.key.len);
	(void)decode(&pair, rounds / 10 + 1);
	printf("decoder_event  %7.0f ns\n", decode(&pair, rounds));
	encoder_table_free(et);
	codec_pair_close(&pair);
	return 0;
}
