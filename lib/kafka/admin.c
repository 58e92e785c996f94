/*
 * admin.c: topics, partitions, offsets: one question to the brokers at a time, each with a time limit.
 *
 * Everything goes through a handle of type consumer without a group, because a consumer's metadata requests do not
 * make the broker create a topic that was only asked about.
 */
#include "lib/kafka/client.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"

#define TOPICS_A_REQUEST 100
#define LEADER_WAIT_US (20 * 1000) /* between two looks for a new topic's leaders */

struct kafka_admin {
	struct client client;
};

int kafka_admin_new(const struct kafka_config *config, struct kafka_admin **ret_admin, struct error *err)
{
	struct kafka_admin *admin = calloc(1, sizeof *admin);

	if (admin == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for a kafka client");
	if (client_open(&admin->client, CLIENT_ADMIN, config, NULL, 0, NULL, NULL, err) < 0) {
		free(admin);
		return -1;
	}
	*ret_admin = admin;
	return 0;
}

void kafka_admin_free(struct kafka_admin *admin)
{
	if (admin == NULL)
		return;
	client_close(&admin->client);
	free(admin);
}

/* ---- partitions ---- */

/* *ret_ready: no partition is without a leader. */
static int read_partitions(struct kafka_admin *admin, const char *topic, int *ret_partitions, bool *ret_ready,
	struct error *err)
{
	struct client *client = &admin->client;
	rd_kafka_topic_t *rkt = rd_kafka_topic_new(client->rk, topic, NULL);
	const struct rd_kafka_metadata *metadata = NULL;
	rd_kafka_resp_err_t code;
	int partitions = 0;
	bool ready = true;

	if (rkt == NULL)
		return client_error(client, rd_kafka_last_error(), NULL, err, "topic \"%s\"", topic);
	code = rd_kafka_metadata(client->rk, 0, rkt, &metadata, CLIENT_TIMEOUT_MS);
	client_serve(client);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topic_cnt == 1) {
		code = metadata->topics[0].err;
		partitions = metadata->topics[0].partition_cnt;
		for (int i = 0; i < partitions; i++)
			if (metadata->topics[0].partitions[i].leader < 0)
				ready = false;
	}
	if (metadata != NULL)
		rd_kafka_metadata_destroy(metadata);
	rd_kafka_topic_destroy(rkt);
	if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
		partitions = 0;
	else if (code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE)
		ready = false;
	else if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return client_error(client, code, NULL, err, "partitions of topic \"%s\"", topic);
	*ret_partitions = partitions;
	*ret_ready = ready && partitions > 0;
	return 0;
}

int kafka_topic_partitions(struct kafka_admin *admin, const char *topic, int *ret_partitions, struct error *err)
{
	bool ready;

	return read_partitions(admin, topic, ret_partitions, &ready, err);
}

/* ---- creating ---- */

static int add_settings(rd_kafka_NewTopic_t *new_topic, const struct kafka_topic_spec *spec, struct error *err)
{
	char name[128];

	for (size_t i = 0; i < spec->setting_count; i++) {
		const char *equals = strchr(spec->settings[i], '=');
		size_t len = equals != NULL ? (size_t)(equals - spec->settings[i]) : 0;

		if (len == 0 || len >= sizeof name)
			return error_set(err, ERROR_CONFIG,
				"setting \"%s\" of topic \"%s\" is not of the form \"name=value\"", spec->settings[i],
				spec->name);
		memcpy(name, spec->settings[i], len);
		name[len] = '\0';
		if (rd_kafka_NewTopic_set_config(new_topic, name, equals + 1) != RD_KAFKA_RESP_ERR_NO_ERROR)
			return error_set(err, ERROR_CONFIG, "setting \"%s\" of topic \"%s\" is wrong", name, spec->name);
	}
	return 0;
}

/* The first topic of the answer that could not be created; one that another made in the meantime is as good. */
static rd_kafka_resp_err_t find_failure(rd_kafka_event_t *event, const char **ret_topic, const char **ret_detail)
{
	size_t count;
	const rd_kafka_topic_result_t **results =
		rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);

	for (size_t i = 0; i < count; i++) {
		rd_kafka_resp_err_t code = rd_kafka_topic_result_error(results[i]);

		if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
			continue;
		*ret_topic = rd_kafka_topic_result_name(results[i]);
		*ret_detail = rd_kafka_topic_result_error_string(results[i]);
		return code;
	}
	return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* The brokers' answer to the request, whose first topic is `topic`. */
static int take_answer(struct kafka_admin *admin, rd_kafka_queue_t *answers, const char *topic, struct error *err)
{
	rd_kafka_event_t *event = rd_kafka_queue_poll(answers, CLIENT_TIMEOUT_MS + 1000);
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
	const char *detail = NULL;
	int rc = 0;

	client_serve(&admin->client);
	if (event != NULL) {
		code = rd_kafka_event_error(event);
		detail = rd_kafka_event_error_string(event);
	}
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		code = find_failure(event, &topic, &detail);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		rc = client_error(&admin->client, code, detail, err, "creating topic \"%s\"", topic);
	if (event != NULL)
		rd_kafka_event_destroy(event);
	return rc;
}

static int new_topic(const struct kafka_topic_spec *spec, rd_kafka_NewTopic_t **ret_topic, struct error *err)
{
	char why[256] = "";

	*ret_topic = rd_kafka_NewTopic_new(spec->name, spec->partitions, spec->replication_factor, why, sizeof why);
	if (*ret_topic == NULL)
		return error_set(err, ERROR_CONFIG, "topic \"%s\" cannot be created: %s", spec->name, why);
	return add_settings(*ret_topic, spec, err);
}

/* One request; count is at most TOPICS_A_REQUEST. */
static int create_topics(struct kafka_admin *admin, const struct kafka_topic_spec *specs, size_t count,
	struct error *err)
{
	char why[256] = "";
	rd_kafka_NewTopic_t *topics[TOPICS_A_REQUEST] = { NULL };
	rd_kafka_AdminOptions_t *options = NULL;
	rd_kafka_queue_t *answers = NULL;
	int rc = -1;

	for (size_t i = 0; i < count; i++)
		if (new_topic(&specs[i], &topics[i], err) < 0)
			goto out;
	options = rd_kafka_AdminOptions_new(admin->client.rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
	(void)rd_kafka_AdminOptions_set_request_timeout(options, CLIENT_TIMEOUT_MS, why, sizeof why);
	(void)rd_kafka_AdminOptions_set_operation_timeout(options, CLIENT_TIMEOUT_MS, why, sizeof why);
	answers = rd_kafka_queue_new(admin->client.rk);
	rd_kafka_CreateTopics(admin->client.rk, topics, count, options, answers);
	rc = take_answer(admin, answers, specs[0].name, err);
out:
	if (answers != NULL)
		rd_kafka_queue_destroy(answers);
	if (options != NULL)
		rd_kafka_AdminOptions_destroy(options);
	for (size_t i = 0; i < count; i++)
		if (topics[i] != NULL)
			rd_kafka_NewTopic_destroy(topics[i]);
	return rc;
}

int kafka_topics_create(struct kafka_admin *admin, const struct kafka_topic_spec *specs, size_t count,
	struct error *err)
{
	for (size_t done = 0, part; done < count; done += part) {
		part = count - done < TOPICS_A_REQUEST ? count - done : TOPICS_A_REQUEST;
		if (create_topics(admin, specs + done, part, err) < 0)
			return -1;
	}
	return 0;
}

int kafka_topic_ensure(struct kafka_admin *admin, const struct kafka_topic_spec *spec, int *ret_partitions,
	struct error *err)
{
	int64_t end = clock_monotonic_us() + CLIENT_TIMEOUT_MS * INT64_C(1000);
	int partitions;
	bool ready;

	if (read_partitions(admin, spec->name, &partitions, &ready, err) < 0)
		return -1;
	if (partitions == 0 && create_topics(admin, spec, 1, err) < 0)
		return -1;
	/* created is not yet usable: each broker learns of it in its own time */
	while (!ready) {
		if (clock_monotonic_us() > end)
			return error_set(err, ERROR_RETRY, "topic \"%s\" has no leaders yet", spec->name);
		clock_sleep_us(LEADER_WAIT_US);
		if (read_partitions(admin, spec->name, &partitions, &ready, err) < 0)
			return -1;
	}
	*ret_partitions = partitions;
	return 0;
}

/* ---- offsets ---- */

rd_kafka_resp_err_t client_watermarks(struct client *client, const char *topic, int partition, int64_t *ret_low,
	int64_t *ret_high)
{
	int64_t end = clock_monotonic_us() + CLIENT_TIMEOUT_MS * INT64_C(1000);
	rd_kafka_resp_err_t code;

	for (;;) {
		code = rd_kafka_query_watermark_offsets(client->rk, topic, partition, ret_low, ret_high,
			CLIENT_TIMEOUT_MS);
		client_serve(client);
		if (code != RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION &&
			code != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE)
			return code;
		if (clock_monotonic_us() > end)
			return code;
		clock_sleep_us(LEADER_WAIT_US);
	}
}

void client_wake(struct client *client, const char *topic, int32_t partition)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

	rd_kafka_topic_partition_list_add(list, topic, partition)->offset = RD_KAFKA_OFFSET_END;
	(void)rd_kafka_offsets_for_times(client->rk, list, 0);
	rd_kafka_topic_partition_list_destroy(list);
}

int kafka_watermarks(struct kafka_admin *admin, const char *topic, int partition, int64_t *ret_low, int64_t *ret_high,
	struct error *err)
{
	rd_kafka_resp_err_t code = client_watermarks(&admin->client, topic, partition, ret_low, ret_high);

	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return client_error(&admin->client, code, NULL, err, "offsets of topic \"%s\" partition %d", topic,
			partition);
	return 0;
}

/* ---- names ---- */

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int copy_names(const struct rd_kafka_metadata *metadata, const char *prefix, char ***ret_names,
	size_t *ret_count, struct error *err)
{
	char **names = calloc((size_t)metadata->topic_cnt + 1, sizeof *names);
	size_t len = strlen(prefix), count = 0;

	if (names == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for the names of topics");
	for (int i = 0; i < metadata->topic_cnt; i++) {
		if (strncmp(metadata->topics[i].topic, prefix, len) != 0)
			continue;
		names[count] = strdup(metadata->topics[i].topic);
		if (names[count] == NULL) {
			kafka_names_free(names, count);
			return error_set(err, ERROR_RETRY, "out of memory for the names of topics");
		}
		count++;
	}
	qsort(names, count, sizeof *names, compare_names);
	*ret_names = names;
	*ret_count = count;
	return 0;
}

int kafka_topics(struct kafka_admin *admin, const char *prefix, char ***ret_names, size_t *ret_count,
	struct error *err)
{
	const struct rd_kafka_metadata *metadata;
	rd_kafka_resp_err_t code = rd_kafka_metadata(admin->client.rk, 1, NULL, &metadata, CLIENT_TIMEOUT_MS);
	int rc;

	client_serve(&admin->client);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return client_error(&admin->client, code, NULL, err, "names of the topics");
	rc = copy_names(metadata, prefix, ret_names, ret_count, err);
	rd_kafka_metadata_destroy(metadata);
	return rc;
}

void kafka_names_free(char **names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
}
