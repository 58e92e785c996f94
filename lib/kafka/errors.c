/*
 * errors.c: librdkafka's handle and its errors in our terms.
 *
 * Class by code: what the same call may get over by itself is ERROR_RETRY; what a person has to change (rights,
 * login, sizes, names) is ERROR_CONFIG; an offset that is not in the topic is ERROR_GAP.
 */
#include "lib/kafka/client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- the handle ---- */

int client_open(struct client *client, enum client_role role, const struct kafka_config *config,
	const struct client_setting *computed, size_t computed_count, client_prepare *prepare, void *context,
	struct error *err)
{
	rd_kafka_conf_t *conf;
	char why[256] = "";

	memset(client, 0, sizeof *client);
	conf = config_build(role, config, computed, computed_count, &client->timeout_ms, err);
	if (conf == NULL)
		return -1;
	client->bootstrap_servers = strdup(config->bootstrap_servers);
	if (client->bootstrap_servers == NULL) {
		rd_kafka_conf_destroy(conf);
		return error_set(err, ERROR_RETRY, "out of memory for a kafka client");
	}
	if (prepare != NULL)
		prepare(conf, context);
	client->rk = rd_kafka_new(role == CLIENT_PRODUCER ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, conf, why,
		sizeof why);
	if (client->rk == NULL) {
		rd_kafka_conf_destroy(conf);
		client_close(client);
		return error_set(err, ERROR_CONFIG, "kafka client cannot be made: %s", why);
	}
	client->events = rd_kafka_queue_get_main(client->rk);
	return 0;
}

void client_close(struct client *client)
{
	if (client->events != NULL) {
		rd_kafka_queue_io_event_enable(client->events, -1, NULL, 0);
		rd_kafka_queue_destroy(client->events);
	}
	if (client->rk != NULL)
		rd_kafka_destroy_flags(client->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	free(client->bootstrap_servers);
	memset(client, 0, sizeof *client);
}

/* Keeps "host:port: Connect to ... failed: Connection refused", drops " (after 0ms in state CONNECT, ...)". */
static void set_reason(struct client *client, rd_kafka_resp_err_t code, const char *text)
{
	size_t len = strcspn(text, "\n");
	const char *after = strstr(text, " (after ");

	if (after != NULL && (size_t)(after - text) < len)
		len = (size_t)(after - text);
	if (len >= sizeof client->reason)
		len = sizeof client->reason - 1;
	memcpy(client->reason, text, len);
	client->reason[len] = '\0';
	client->reason_code = code;
}

void client_note(struct client *client, rd_kafka_resp_err_t code, const char *text)
{
	if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
		client->all_down = true;
		if (client->reason[0] != '\0')
			return; /* that one says why */
	}
	set_reason(client, code, text != NULL ? text : rd_kafka_err2str(code));
}

void client_serve(struct client *client)
{
	rd_kafka_event_t *event;

	while ((event = rd_kafka_queue_poll(client->events, 0)) != NULL) {
		if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR)
			client_note(client, rd_kafka_event_error(event), rd_kafka_event_error_string(event));
		rd_kafka_event_destroy(event);
	}
}

/* ---- errors ---- */

/* Codes that mean "no broker could be asked"; the noted reason says more than they do. */
static bool is_unreachable(rd_kafka_resp_err_t code)
{
	switch (code) {
	case RD_KAFKA_RESP_ERR__TRANSPORT:
	case RD_KAFKA_RESP_ERR__RESOLVE:
	case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
	case RD_KAFKA_RESP_ERR__TIMED_OUT:
	case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
	case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
		return true;
	default:
		return false;
	}
}

static enum error_class class_of(rd_kafka_resp_err_t code)
{
	switch (code) {
	case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
	case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
		return ERROR_GAP;
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
	case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
	case RD_KAFKA_RESP_ERR__AUTHENTICATION:
	case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
	case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
	case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
	case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
	case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
	case RD_KAFKA_RESP_ERR__INVALID_ARG:
		return ERROR_CONFIG;
	/* INVALID_REPLICATION_FACTOR too: brokers that are only coming up are not counted. */
	/* _UNKNOWN_PARTITION too: nobody writes down a partition's number; metadata has none of a broker just back. */
	default:
		return ERROR_RETRY;
	}
}

static void hint_of(rd_kafka_resp_err_t code, struct error *err)
{
	switch (code) {
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
	case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
		(void)error_hint(err, "raise max.message.bytes of the topic (or message.max.bytes of the broker), and "
			"the property message.max.bytes if the record is larger than 8 MiB");
		break;
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
		(void)error_hint(err, "grant the user Describe, Read and (for capture) Write and Create on the topic");
		break;
	case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
		(void)error_hint(err, "grant the user IdempotentWrite (and Create, unless the topics are made by hand) "
			"on the cluster");
		break;
	case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
	case RD_KAFKA_RESP_ERR__AUTHENTICATION:
	case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
		(void)error_hint(err, "look at security.protocol and the sasl.* properties");
		break;
	case RD_KAFKA_RESP_ERR__SSL:
		(void)error_hint(err, "look at security.protocol and the ssl.* properties");
		break;
	case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
		(void)error_hint(err, "fewer brokers are up than replication_factor wants: start the others, or lower it");
		break;
	case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
	case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
		(void)error_hint(err, "the topic was deleted, made anew, or its retention is shorter than the backlog");
		break;
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
		(void)error_hint(err, "the topic does not exist, or the user may not see it");
		break;
	default:
		break;
	}
}

int client_error(struct client *client, rd_kafka_resp_err_t code, const char *detail, struct error *err,
	const char *what, ...)
{
	char doing[400];
	va_list args;

	va_start(args, what);
	(void)vsnprintf(doing, sizeof doing, what, args);
	va_end(args);
	/* a login that fails shows only as time-outs of what was to follow */
	if (is_unreachable(code) && class_of(client->reason_code) == ERROR_CONFIG)
		code = client->reason_code;
	if (is_unreachable(code) || code == RD_KAFKA_RESP_ERR__SSL) {
		const char *why = client->reason[0] != '\0' ? client->reason
			: detail != NULL                    ? detail
							    : rd_kafka_err2str(code);

		(void)error_set(err, ERROR_RETRY, "could not reach Kafka at \"%s\": %s: %s", client->bootstrap_servers,
			doing, why);
		(void)error_hint(err, "is the broker running? does its advertised listener lead back to it from here?");
		hint_of(code, err);
		return -1;
	}
	if (class_of(code) == ERROR_CONFIG && client->reason_code == code && client->reason[0] != '\0')
		detail = client->reason;
	(void)error_set(err, class_of(code), "%s: %s", doing, detail != NULL ? detail : rd_kafka_err2str(code));
	hint_of(code, err);
	return -1;
}

/* ---- descriptors ---- */

int client_fd_new(struct error *err)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	if (fd < 0)
		return error_set(err, ERROR_RETRY, "no descriptor for a kafka client: %s", strerror(errno));
	return fd;
}

bool client_fd_clear(int fd)
{
	uint64_t count;

	return read(fd, &count, sizeof count) == (ssize_t)sizeof count;
}

void client_fd_watch(rd_kafka_queue_t *queue, int fd)
{
	static const uint64_t one = 1; /* what an eventfd adds */

	rd_kafka_queue_io_event_enable(queue, fd, &one, sizeof one);
}
