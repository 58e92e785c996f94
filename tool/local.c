/*
 * local.c: talks to the agents of this machine: each has an HTTP server on a Unix socket named after it.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "lib/base/buf.h"
#include "tool/tool.h"

#define ANSWER_MAX ((size_t)1 << 20)
#define AGENTS_MAX 256

static int by_name(const void *a, const void *b)
{
	const struct tool_agent *one = a, *two = b;

	return strcmp(one->name, two->name);
}

int tool_agents(const char *run_directory, struct tool_agent **ret_agents, size_t *ret_count, struct error *err)
{
	struct tool_agent *agents;
	struct dirent *entry;
	size_t count = 0;
	DIR *dir = opendir(run_directory);

	if (dir == NULL && errno != ENOENT)
		return error_set(err, ERROR_CONFIG, "could not read \"%s\": %s", run_directory, strerror(errno));
	agents = calloc(AGENTS_MAX, sizeof *agents);
	if (agents == NULL) {
		if (dir != NULL)
			(void)closedir(dir);
		return error_set(err, ERROR_RETRY, "out of memory");
	}
	while (dir != NULL && count < AGENTS_MAX && (entry = readdir(dir)) != NULL) {
		size_t len = strlen(entry->d_name);

		if (len <= 5 || len - 5 >= sizeof agents->name || strcmp(entry->d_name + len - 5, ".sock") != 0)
			continue;
		(void)snprintf(agents[count].name, sizeof agents->name, "%.*s", (int)len - 5, entry->d_name);
		(void)snprintf(agents[count].socket, sizeof agents->socket, "%s/%s", run_directory, entry->d_name);
		count++;
	}
	if (dir != NULL)
		(void)closedir(dir);
	qsort(agents, count, sizeof *agents, by_name);
	*ret_agents = agents;
	*ret_count = count;
	return 0;
}

static size_t collect(char *bytes, size_t size, size_t count, void *context)
{
	struct buf *body = context;

	buf_append(body, bytes, size * count);
	return body->failed ? 0 : size * count;
}

/* The answer's own words where it has some (application/problem+json). */
static int refused(const struct tool_agent *agent, long status, json_t *answer, struct error *err)
{
	const char *title = answer != NULL ? json_string_value(json_object_get(answer, "detail")) : NULL;

	if (title == NULL && answer != NULL)
		title = json_string_value(json_object_get(answer, "title"));
	return error_set(err, ERROR_CONFIG, "agent \"%s\": %s (HTTP %ld)", agent->name, title != NULL ? title : "refused", status);
}

int tool_request(const struct tool_agent *agent, const char *method, const char *path, json_t **ret_answer,
	struct error *err)
{
	char url[512];
	struct buf body;
	json_t *answer = NULL;
	CURLcode code;
	long status = 0;
	int rc = -1;
	CURL *curl = curl_easy_init();

	buf_init(&body, ANSWER_MAX);
	if (curl == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	(void)snprintf(url, sizeof url, "http://localhost%s", path);
	(void)curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, agent->socket);
	(void)curl_easy_setopt(curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT, 5L);
	(void)curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
	code = curl_easy_perform(curl);
	if (code != CURLE_OK) {
		(void)error_set(err, ERROR_RETRY, "agent \"%s\" does not answer: %s", agent->name, curl_easy_strerror(code));
		(void)error_hint(err, "is it running? see its log, or: systemctl status");
		goto out;
	}
	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (body.len > 0)
		answer = json_loadb(body.data, body.len, 0, NULL);
	if (status > 299) {
		(void)refused(agent, status, answer, err);
		goto out;
	}
	*ret_answer = answer;
	answer = NULL;
	rc = 0;
out:
	json_decref(answer);
	buf_release(&body);
	curl_easy_cleanup(curl);
	return rc;
}
