/*
 * config.c: the librdkafka properties of every client, and which of them are not the user's.
 *
 * Order, later wins: our defaults for the role; values computed from the memory and the number of partitions; the
 * user's properties; the properties on which the guarantees rest. The user's attempt to set one of the last is
 * refused, not overwritten, so that nobody believes in a setting that does not hold.
 *
 * Names and meanings: CONFIGURATION.md of librdkafka 2.0.2. What was measured (two cores, broker beside, 300-byte
 * records, librdkafka 2.0.2, Kafka 4.3.1) stands beside the value.
 */
#include "lib/kafka/client.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MESSAGE_TIMEOUT_MS_MAX 30000

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- our defaults ---- */

static const struct client_setting common_defaults[] = {
	{ "socket.nagle.disable", "true" },
	{ "socket.keepalive.enable", "true" },
	/* a peer that went away without a word is found within 20 s, not 60 s */
	{ "socket.timeout.ms", "20000" },
	{ "socket.connection.setup.timeout.ms", "10000" },
	{ "reconnect.backoff.ms", "50" },
	{ "reconnect.backoff.max.ms", "2000" },
	/* a connection that the broker closed because it was idle is no event */
	{ "log.connection.close", "false" },
	{ "statistics.interval.ms", "0" },
};

static const struct client_setting producer_defaults[] = {
	/*
	 * A busy producer gathers, an idle one calls kafka_producer_push() and waits for nothing. CPU of all
	 * threads a record beside 5 us of other work, 3 partitions: linger 0 3.7 us (and 92 thousand records/s,
	 * because the broker drowns in small requests), 0.5 ms 1.8 us, 1 ms 1.4 us, 5 ms 1.0 us (177 thousand/s). At
	 * full speed 0.9 us, up to 1.2 million/s, whatever the linger. 500 records/s: acknowledged in 0.22 ms (p50)
	 * with linger 0 or with push, 1.3 ms with 1, 5.3 ms with 5.
	 *
	 * 50 ms, because requests should go full: with five smaller ones under way and more records waiting, the thread of librdkafka 2.0.2
	 * spins until an answer comes, and takes the core that the broker needs. A backlog of 1,000,000 rows, all on two cores:
	 * 5 ms 173 thousand rows/s and 3.5 us a row, 50 ms 333 thousand and 2.2 us.
	 */
	{ "linger.ms", "50" },
	{ "max.in.flight.requests.per.connection", "5" },
	{ "batch.num.messages", "10000" },
	{ "batch.size", "1000000" },
	/* lz4 costs as much CPU here as it saves in copying; worth it only over a slow network */
	{ "compression.codec", "none" },
	/* resident 50 MiB when full of 300-byte records: book-keeping and the batches under way come on top */
	{ "queue.buffering.max.kbytes", "16384" },
	{ "queue.buffering.max.messages", "100000" },
	/* the broker's limit is the one that counts (message.max.bytes there, 1 MiB unless set) */
	{ "message.max.bytes", "8388608" },
	/*
	 * Kept by producer.c, not by librdkafka (see below). PostgreSQL's shutdown waits so long for our feedback; and what
	 * an agent that was paused still has to send lands behind the records of the one that took over, as old copies:
	 * a short life keeps them few.
	 */
	{ "message.timeout.ms", "30000" },
	{ "retry.backoff.ms", "50" },
};

static const struct client_setting consumer_defaults[] = {
	{ "fetch.min.bytes", "1" },
	/* consumer.c says why so short; new records are seen at once in any case (0.35 ms p50 after kafka_produce()) */
	{ "fetch.wait.max.ms", "10" },
	{ "fetch.error.backoff.ms", "50" },
	{ "receive.message.max.bytes", "100000000" },
	{ "topic.metadata.refresh.interval.ms", "60000" },
};

/* ---- what the guarantees rest on ---- */

static const struct client_setting producer_musts[] = {
	{ "enable.idempotence", "true" },
	{ "acks", "all" },
	{ "enable.gapless.guarantee", "true" },
	/*
	 * enable.gapless.guarantee does not cover a record that librdkafka itself gives up, because its time or its retries
	 * are over: it would drop it, raise its epoch and send the records behind it. So it never does. The time that the
	 * user sees (config_build) is kept by producer.c, which sends nothing more when it is over.
	 */
	{ "message.timeout.ms", "0" },
	{ "message.send.max.retries", "2147483647" },
};

static const struct client_setting consumer_musts[] = {
	{ "check.crcs", "true" },
	{ "enable.auto.commit", "false" },
	{ "auto.commit.enable", "false" },
	{ "enable.auto.offset.store", "false" },
	{ "auto.offset.reset", "error" },
	{ "isolation.level", "read_committed" },
	{ "allow.auto.create.topics", "false" },
	{ "enable.partition.eof", "false" },
	/* a producer's limit, but a consumer whose fetch.max.bytes is below it is refused */
	{ "message.max.bytes", "1000" },
};

/* Also by their other names; and what has its own place in the configuration, or runs foreign code. */
static const char *const refused[] = {
	"enable.idempotence", "acks", "request.required.acks", "enable.gapless.guarantee", "check.crcs",
	"message.send.max.retries", "retries", "enable.auto.commit", "auto.commit.enable", "enable.auto.offset.store",
	"auto.offset.reset", "isolation.level",
	"transactional.id", "group.id", "group.instance.id", "enable.partition.eof", "allow.auto.create.topics",
	"offset.store.method", "partitioner", "log.queue", "client.id", "bootstrap.servers", "metadata.broker.list",
	"plugin.library.paths",
};

static bool is_refused(const char *name, size_t len)
{
	for (size_t i = 0; i < COUNT(refused); i++)
		if (strlen(refused[i]) == len && strncasecmp(refused[i], name, len) == 0)
			return true;
	return false;
}

/* Whether the value may be a secret, so that librdkafka's own words about it, which quote it, are not shown. */
static bool is_secret(const char *name)
{
	static const char *const parts[] = { "password", "secret", "key", "token", "jaas", "oauthbearer" };

	for (size_t i = 0; i < COUNT(parts); i++)
		if (strcasestr(name, parts[i]) != NULL)
			return true;
	return false;
}

static int set(rd_kafka_conf_t *conf, const char *name, const char *value, struct error *err)
{
	char why[256] = "";

	switch (rd_kafka_conf_set(conf, name, value, why, sizeof why)) {
	case RD_KAFKA_CONF_OK:
		return 0;
	case RD_KAFKA_CONF_UNKNOWN:
		(void)error_set(err, ERROR_CONFIG, "unknown kafka property \"%s\"", name);
		return error_hint(err, "librdkafka %s lists its properties in CONFIGURATION.md", rd_kafka_version_str());
	default:
		if (is_secret(name))
			return error_set(err, ERROR_CONFIG, "wrong value for kafka property \"%s\"", name);
		return error_set(err, ERROR_CONFIG, "wrong value for kafka property \"%s\": %s", name, why);
	}
}

static int set_all(rd_kafka_conf_t *conf, const struct client_setting *settings, size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++)
		if (set(conf, settings[i].name, settings[i].value, err) < 0)
			return -1;
	return 0;
}

/* One of the user's properties, "name=value". */
static int set_property(rd_kafka_conf_t *conf, const char *property, struct error *err)
{
	const char *equals = strchr(property, '=');
	size_t len = equals != NULL ? (size_t)(equals - property) : 0;
	char name[128];

	/* The text may be a secret without its name: it is not shown. */
	if (equals == NULL || len == 0 || len >= sizeof name)
		return error_set(err, ERROR_CONFIG, "a kafka property is not of the form \"name=value\"");
	memcpy(name, property, len);
	name[len] = '\0';
	if (is_refused(name, len)) {
		(void)error_set(err, ERROR_CONFIG, "kafka property \"%s\" cannot be set", name);
		return error_hint(err, "remove it: delivery guarantees rest on it, or it has a setting of its own");
	}
	return set(conf, name, equals + 1, err);
}

static double number_of(const rd_kafka_conf_t *conf, const char *name)
{
	char value[32] = "";
	size_t size = sizeof value;

	(void)rd_kafka_conf_get(conf, name, value, &size);
	return strtod(value, NULL);
}

/* The user may shorten a record's life, not lengthen it. */
static int take_timeout(const rd_kafka_conf_t *conf, int *ret_timeout_ms, struct error *err)
{
	double ms = number_of(conf, "message.timeout.ms"), linger_ms = number_of(conf, "linger.ms");

	if (ms > 0 && ms >= 2 * linger_ms && ms <= MESSAGE_TIMEOUT_MS_MAX) {
		*ret_timeout_ms = (int)ms;
		return 0;
	}
	(void)error_set(err, ERROR_CONFIG, "kafka property \"message.timeout.ms\" is %.0f", ms);
	if (ms > 0 && ms <= MESSAGE_TIMEOUT_MS_MAX)
		return error_hint(err, "it must be at least twice linger.ms (%g)", linger_ms);
	return error_hint(err,
		"at most %d, and not 0: what was not delivered by then is found out and sent anew in any case",
		MESSAGE_TIMEOUT_MS_MAX);
}

static int set_defaults(rd_kafka_conf_t *conf, enum client_role role, struct error *err)
{
	if (set_all(conf, common_defaults, COUNT(common_defaults), err) < 0)
		return -1;
	return role == CLIENT_PRODUCER ? set_all(conf, producer_defaults, COUNT(producer_defaults), err)
	                               : set_all(conf, consumer_defaults, COUNT(consumer_defaults), err);
}

static int set_musts(rd_kafka_conf_t *conf, enum client_role role, struct error *err)
{
	if (role == CLIENT_PRODUCER)
		return set_all(conf, producer_musts, COUNT(producer_musts), err);
	if (set_all(conf, consumer_musts, COUNT(consumer_musts), err) < 0)
		return -1;
	/* a reader of a bounded range must learn of its end, which may be a control record that nobody sees */
	return role == CLIENT_READER ? set(conf, "enable.partition.eof", "true", err) : 0;
}

/* Called by librdkafka's threads: its lines go nowhere, what matters arrives as an error event. */
static void drop_log(const rd_kafka_t *rk, int level, const char *facility, const char *line)
{
	(void)rk;
	(void)level;
	(void)facility;
	(void)line;
}

rd_kafka_conf_t *config_build(enum client_role role, const struct kafka_config *config,
	const struct client_setting *computed, size_t computed_count, int *ret_timeout_ms, struct error *err)
{
	rd_kafka_conf_t *conf;

	if (config->bootstrap_servers == NULL || config->bootstrap_servers[0] == '\0') {
		(void)error_set(err, ERROR_CONFIG, "no kafka bootstrap servers are configured");
		return NULL;
	}
	conf = rd_kafka_conf_new();
	if (set_defaults(conf, role, err) < 0 || set_all(conf, computed, computed_count, err) < 0)
		goto failed;
	if (set(conf, "bootstrap.servers", config->bootstrap_servers, err) < 0)
		goto failed;
	if (config->client_id != NULL && set(conf, "client.id", config->client_id, err) < 0)
		goto failed;
	for (size_t i = 0; i < config->property_count; i++)
		if (set_property(conf, config->properties[i], err) < 0)
			goto failed;
	if ((role == CLIENT_PRODUCER && take_timeout(conf, ret_timeout_ms, err) < 0) || set_musts(conf, role, err) < 0)
		goto failed;
	rd_kafka_conf_set_log_cb(conf, drop_log);
	if (role != CLIENT_PRODUCER)
		rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_ERROR);
	return conf;
failed:
	rd_kafka_conf_destroy(conf);
	return NULL;
}

int kafka_config_check(const struct kafka_config *config, struct error *err)
{
	static const enum client_role roles[] = { CLIENT_PRODUCER, CLIENT_CONSUMER };

	for (size_t i = 0; i < COUNT(roles); i++) {
		int timeout_ms;
		rd_kafka_conf_t *conf = config_build(roles[i], config, NULL, 0, &timeout_ms, err);

		if (conf == NULL)
			return -1;
		rd_kafka_conf_destroy(conf);
	}
	return 0;
}
