/*
 * client.h: what the files of lib/kafka share: one librdkafka handle with its settings, its event queue and the last
 * reason it gave.
 *
 * Private to lib/kafka. librdkafka reports trouble with brokers as events on the handle's main queue; client_serve()
 * takes them off and keeps the newest reason, so that a timed-out call can say why instead of "timed out".
 */
#ifndef TAILRACE_KAFKA_CLIENT_H
#define TAILRACE_KAFKA_CLIENT_H

#include <librdkafka/rdkafka.h>

#include "lib/kafka/kafka.h"

#define CLIENT_TIMEOUT_MS 10000 /* of one question to the brokers */
#define CLIENT_REASON_MAX 256

enum client_role { CLIENT_ADMIN, CLIENT_PRODUCER, CLIENT_CONSUMER, CLIENT_READER };

struct client_setting {
	const char *name;
	const char *value;
};

struct client {
	rd_kafka_t *rk;
	rd_kafka_queue_t *events; /* the main queue: errors; a producer's delivery reports */
	char *bootstrap_servers;
	char reason[CLIENT_REASON_MAX]; /* what librdkafka last said about a broker, "" if nothing */
	rd_kafka_resp_err_t reason_code;
	bool all_down; /* set by the event; whoever reports it clears it */
	int timeout_ms; /* of a producer's records (message.timeout.ms), for producer.c to keep */
};

/* ---- config.c ---- */
/*
 * The settings of a role: our defaults, then `computed` (they depend on memory and partitions), then the user's
 * properties, then those on which our guarantees rest. NULL and ERROR_CONFIG naming the property. Ends with
 * rd_kafka_new() or rd_kafka_conf_destroy(). *ret_timeout_ms: a producer's message.timeout.ms, which librdkafka is not
 * told of.
 */
rd_kafka_conf_t *config_build(enum client_role role, const struct kafka_config *config,
	const struct client_setting *computed, size_t computed_count, int *ret_timeout_ms, struct error *err);

/* ---- errors.c ---- */
/* prepare: sets callbacks before the handle is made; NULL for none. */
typedef void client_prepare(rd_kafka_conf_t *conf, void *context);
int client_open(struct client *client, enum client_role role, const struct kafka_config *config,
	const struct client_setting *computed, size_t computed_count, client_prepare *prepare, void *context,
	struct error *err);
/* Does not wait for messages to be sent or groups to be left. Also for a client that was never opened (all zero). */
void client_close(struct client *client);
/* Notes what librdkafka says about a broker. */
void client_note(struct client *client, rd_kafka_resp_err_t code, const char *text);
/* Takes all waiting events off the main queue and notes the errors. Producers have callbacks for that. */
void client_serve(struct client *client);
/*
 * Fills err from librdkafka's code: `what` failed (a format). Class and hint by the code; reasons why brokers are
 * not reached come from the noted events. Returns -1.
 */
int client_error(struct client *client, rd_kafka_resp_err_t code, const char *detail, struct error *err,
	const char *what, ...) __attribute__((format(printf, 5, 6)));

/* The descriptor that librdkafka makes readable: an eventfd. -1 and err. */
int client_fd_new(struct error *err);
/* Clears it; true if it was set. */
bool client_fd_clear(int fd);
void client_fd_watch(rd_kafka_queue_t *queue, int fd);

/* ---- admin.c ---- */
/*
 * First and next offset of a partition; waits for its leader, at most CLIENT_TIMEOUT_MS twice over: a topic that was
 * made a moment ago has one in the metadata before that broker knows it.
 */
rd_kafka_resp_err_t client_watermarks(struct client *client, const char *topic, int partition, int64_t *ret_low,
	int64_t *ret_high);
/* Makes librdkafka's thread for the partition's leader look again at what to fetch (see consumer.c). Does not wait. */
void client_wake(struct client *client, const char *topic, int32_t partition);

/* ---- consumer.c ---- */
void message_fill(struct kafka_message *message, rd_kafka_message_t *rkm);

#endif
