/*
 * source_mysql_queue.c: packets from the stream's thread to the pipeline's, in a ring of bytes.
 *
 * A record is a head of 16 bytes and the packet, rounded up to 16. Places are counted from the queue's beginning and
 * never wrap (place % size is where it stands), so that they are names for packets too. A record is never broken over
 * the ring's end: a filler takes the rest.
 *
 *   taken ≤ next ≤ written, written - taken ≤ size
 *     [taken, next)    the packet that the reader has; given back by its next take
 *     [next, written)  packets that wait
 *
 * A packet larger than a quarter of the ring is not copied: the writer waits until the ring is empty, lends it, and
 * waits until it is given back. (A row of 20 MB is in memory once then, in the client library's own buffer.)
 *
 * The descriptor is signalled when the reader had found nothing and something came; also when the writer finds no
 * room, because a reader that looks ahead has to know that no more will come.
 */
#include "capture/source_mysql.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define ALIGN ((uint64_t)16)
#define FILLER UINT32_MAX

struct record {
	uint32_t len;
	uint32_t acknowledge;
	uint64_t unused;
};

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t room;
	unsigned char *bytes;
	uint64_t size, taken, next, written;
	bool starved; /* the reader found nothing: signal it */
	bool blocked; /* the writer waits for room */
	bool ended, cancelled;
	struct packet lent; /* bytes NULL: none */
	bool lent_taken;
	unsigned number;
	char text[512];
	int fd;
};

int queue_new(size_t size, struct queue **ret_queue, struct error *err)
{
	struct queue *queue = calloc(1, sizeof *queue);

	if (queue == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for a queue");
	(void)pthread_mutex_init(&queue->lock, NULL);
	(void)pthread_cond_init(&queue->room, NULL);
	queue->size = size / ALIGN * ALIGN;
	queue->bytes = malloc(size);
	queue->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (queue->bytes == NULL || queue->fd < 0) {
		queue_free(queue);
		return error_set(err, ERROR_RETRY, "out of memory or descriptors for a queue");
	}
	*ret_queue = queue;
	return 0;
}

void queue_free(struct queue *queue)
{
	if (queue == NULL)
		return;
	if (queue->fd >= 0)
		(void)close(queue->fd);
	(void)pthread_cond_destroy(&queue->room);
	(void)pthread_mutex_destroy(&queue->lock);
	free(queue->bytes);
	free(queue);
}

int queue_fd(const struct queue *queue)
{
	return queue->fd;
}

static void signal_reader(struct queue *queue)
{
	uint64_t one = 1;

	if (queue->starved && write(queue->fd, &one, sizeof one) == (ssize_t)sizeof one)
		queue->starved = false;
}

/* The reader has nothing to do: from now on it is signalled. Under the lock, so that nothing comes between. */
static void starve(struct queue *queue)
{
	uint64_t count;

	if (!queue->starved && read(queue->fd, &count, sizeof count) < 0)
		count = 0; /* it was not signalled */
	queue->starved = true;
}

/* ---- writer ---- */

static struct record *record_at(const struct queue *queue, uint64_t place)
{
	return (struct record *)(void *)(queue->bytes + place % queue->size);
}

static uint64_t record_size(uint32_t len)
{
	return (sizeof(struct record) + len + ALIGN - 1) / ALIGN * ALIGN;
}

/* Waits until `need` bytes are free; false: cancelled. */
static bool await_room(struct queue *queue, uint64_t need)
{
	while (!queue->cancelled && queue->written - queue->taken + need > queue->size) {
		queue->blocked = true;
		signal_reader(queue);
		(void)pthread_cond_wait(&queue->room, &queue->lock);
	}
	queue->blocked = false;
	return !queue->cancelled;
}

static int lend(struct queue *queue, const void *bytes, size_t len, bool acknowledge)
{
	if (!await_room(queue, queue->size))
		return -1;
	queue->lent = (struct packet){ bytes, len, acknowledge, queue->written };
	queue->lent_taken = false;
	queue->blocked = true;
	signal_reader(queue);
	while (!queue->cancelled && queue->lent.bytes != NULL)
		(void)pthread_cond_wait(&queue->room, &queue->lock);
	queue->blocked = false;
	return queue->cancelled ? -1 : 0;
}

static int copy_in(struct queue *queue, const void *bytes, size_t len, bool acknowledge)
{
	uint64_t need = record_size((uint32_t)len), rest = queue->size - queue->written % queue->size;
	struct record *record;

	if (rest < need) {
		if (!await_room(queue, rest))
			return -1;
		*record_at(queue, queue->written) = (struct record){ FILLER, 0, 0 };
		queue->written += rest;
	}
	if (!await_room(queue, need))
		return -1;
	record = record_at(queue, queue->written);
	*record = (struct record){ (uint32_t)len, acknowledge, 0 };
	memcpy(record + 1, bytes, len);
	queue->written += need;
	signal_reader(queue);
	return 0;
}

int queue_put(struct queue *queue, const void *bytes, size_t len, bool acknowledge)
{
	int rc;

	(void)pthread_mutex_lock(&queue->lock);
	if (queue->cancelled)
		rc = -1;
	else if (len > queue->size / 4)
		rc = lend(queue, bytes, len, acknowledge);
	else
		rc = copy_in(queue, bytes, len, acknowledge);
	(void)pthread_mutex_unlock(&queue->lock);
	return rc;
}

void queue_end(struct queue *queue, unsigned number, const char *text)
{
	size_t len = strnlen(text, sizeof queue->text - 1);

	(void)pthread_mutex_lock(&queue->lock);
	queue->number = number;
	memcpy(queue->text, text, len);
	queue->text[len] = '\0';
	queue->ended = true;
	signal_reader(queue);
	(void)pthread_mutex_unlock(&queue->lock);
}

void queue_cancel(struct queue *queue)
{
	(void)pthread_mutex_lock(&queue->lock);
	queue->cancelled = true;
	(void)pthread_cond_broadcast(&queue->room);
	(void)pthread_mutex_unlock(&queue->lock);
}

/* ---- reader ---- */

/* The packet at that place, over a filler if there is one; moves *place behind it. False: nothing is written there. */
static bool read_record(const struct queue *queue, uint64_t *place, struct packet *ret_packet)
{
	const struct record *record;

	if (*place < queue->written && record_at(queue, *place)->len == FILLER)
		*place += queue->size - *place % queue->size;
	if (*place >= queue->written)
		return false;
	record = record_at(queue, *place);
	*ret_packet =
		(struct packet){ (const unsigned char *)(record + 1), record->len, record->acknowledge != 0, *place };
	*place += record_size(record->len);
	return true;
}

static void give_back(struct queue *queue)
{
	if (queue->taken == queue->next && !queue->lent_taken)
		return;
	queue->taken = queue->next;
	if (queue->lent_taken) {
		queue->lent.bytes = NULL;
		queue->lent_taken = false;
		/* a place of its own: no other packet has the same */
		queue->taken += ALIGN;
		queue->next = queue->taken;
		queue->written = queue->taken;
	}
	if (queue->blocked) {
		queue->blocked = false; /* it says so again if this was not enough */
		(void)pthread_cond_broadcast(&queue->room);
	}
}

int queue_take(struct queue *queue, struct packet *ret_packet, unsigned *ret_number, const char **ret_text)
{
	int rc = 1;

	(void)pthread_mutex_lock(&queue->lock);
	give_back(queue);
	if (read_record(queue, &queue->next, ret_packet)) {
		rc = 1;
	} else if (queue->lent.bytes != NULL) {
		*ret_packet = queue->lent;
		queue->lent_taken = true;
	} else if (queue->ended) {
		*ret_number = queue->number;
		*ret_text = queue->text;
		rc = -1;
	} else {
		starve(queue);
		rc = 0;
	}
	(void)pthread_mutex_unlock(&queue->lock);
	return rc;
}

int queue_peek(
	struct queue *queue, uint64_t *io_at, struct packet *ret_packet, unsigned *ret_number, const char **ret_text)
{
	int rc = 1;

	(void)pthread_mutex_lock(&queue->lock);
	if (*io_at < queue->next)
		*io_at = queue->next;
	if (!read_record(queue, io_at, ret_packet)) {
		if (queue->blocked || queue->lent.bytes != NULL) {
			rc = -1;
		} else if (queue->ended) {
			*ret_number = queue->number;
			*ret_text = queue->text;
			rc = -2;
		} else {
			starve(queue);
			rc = 0;
		}
	}
	(void)pthread_mutex_unlock(&queue->lock);
	return rc;
}
