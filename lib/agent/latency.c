/*
 * latency.c: a histogram of latencies from a microsecond to 19 hours, in 8 KiB.
 *
 * Values below 32 us have a bucket each; above, every doubling is cut into 32 buckets, so that a bucket is at most 1/32
 * of its value wide and a percentile is off by at most half of that. Beside it stand the few exact buckets that
 * Prometheus gets.
 *
 * One thread writes and others read, without a lock: plain loads and stores of atomics, no read-modify-write. A reader
 * may see a value in one of the histograms and not yet in the other.
 */
#include <stdatomic.h>

#include "lib/agent/internal.h"

#define SUB_BITS 5
#define SUB ((uint64_t)1 << SUB_BITS)
#define LARGEST (((uint64_t)1 << 36) - 1)
#define BUCKETS 1024

static _Atomic uint64_t buckets[BUCKETS];
static _Atomic uint64_t exact[LATENCY_BOUNDS + 1];
static _Atomic uint64_t sum_us, largest_us;

static const int64_t bounds_us[LATENCY_BOUNDS] = { 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000,
	1000000, 5000000, 30000000 };

static unsigned bucket_of(uint64_t us)
{
	unsigned shift;

	if (us < SUB)
		return (unsigned)us;
	shift = 63U - (unsigned)__builtin_clzll(us) - SUB_BITS;
	return shift * (unsigned)SUB + (unsigned)(us >> shift);
}

/* The middle of a bucket, in microseconds. */
static double bucket_middle(unsigned bucket)
{
	unsigned shift;

	if (bucket < SUB)
		return bucket;
	shift = bucket / (unsigned)SUB - 1;
	return (double)((uint64_t)(bucket - shift * (unsigned)SUB) << shift) + (double)(((uint64_t)1 << shift) - 1) / 2;
}

static void add(_Atomic uint64_t *counter, uint64_t more)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + more,
		memory_order_relaxed);
}

void agent_latency(int64_t us)
{
	/* The clocks of two machines may disagree: a negative latency is none. */
	uint64_t value = us < 0 ? 0 : (uint64_t)us;
	unsigned bound = 0;

	if (value > LARGEST)
		value = LARGEST;
	while (bound < LATENCY_BOUNDS && (int64_t)value > bounds_us[bound])
		bound++;
	add(&buckets[bucket_of(value)], 1);
	add(&exact[bound], 1);
	add(&sum_us, value);
	if (value > atomic_load_explicit(&largest_us, memory_order_relaxed))
		atomic_store_explicit(&largest_us, value, memory_order_relaxed);
}

/* The value below which `part` of all lie, in milliseconds. */
static double percentile(const uint64_t *counts, uint64_t total, double part)
{
	uint64_t rank = (uint64_t)((double)total * part), seen = 0;

	for (unsigned i = 0; i < BUCKETS; i++) {
		seen += counts[i];
		if (seen > rank || (seen == total && total > 0))
			return bucket_middle(i) / 1000;
	}
	return 0;
}

void agent_latencies(struct agent_latencies *ret_latencies)
{
	uint64_t counts[BUCKETS], total = 0, below = 0;

	for (unsigned i = 0; i < BUCKETS; i++) {
		counts[i] = atomic_load_explicit(&buckets[i], memory_order_relaxed);
		total += counts[i];
	}
	for (unsigned i = 0; i < LATENCY_BOUNDS; i++) {
		below += atomic_load_explicit(&exact[i], memory_order_relaxed);
		ret_latencies->bounds[i] = (double)bounds_us[i] / 1e6;
		ret_latencies->at_most[i] = below;
	}
	ret_latencies->count = below + atomic_load_explicit(&exact[LATENCY_BOUNDS], memory_order_relaxed);
	ret_latencies->sum_seconds = (double)atomic_load_explicit(&sum_us, memory_order_relaxed) / 1e6;
	ret_latencies->max_ms = (double)atomic_load_explicit(&largest_us, memory_order_relaxed) / 1000;
	ret_latencies->p50_ms = percentile(counts, total, 0.50);
	ret_latencies->p99_ms = percentile(counts, total, 0.99);
}
