/*
 * http.c: the agent's HTTP API on its Unix socket, by libmicrohttpd with a thread of its own.
 *
 *   GET  /v1/status, /v1/version   JSON
 *   GET  /metrics                  Prometheus
 *   GET  /livez, /readyz           200, or 503 and why
 *   POST /v1/pause, /v1/resume     202
 *   GET  anything else             the program's own (the registry's read API), or 404
 *
 * Errors are application/problem+json (RFC 9457). Who may connect is the socket's mode; limits keep a client from
 * holding the agent up: 64 connections, 10 s of silence, 32 KiB of headers, 64 KiB of a body, which is not read.
 */
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "lib/agent/internal.h"
#include "lib/base/log.h"

#define CONNECTIONS_MAX 64U
#define SILENCE_SECONDS 10U
#define CONNECTION_MEMORY ((size_t)32 * 1024)
#define BODY_MAX ((uintptr_t)64 * 1024)
#define ANSWER_MAX ((size_t)16 << 20)

#define JSON "application/json"
#define PROBLEM "application/problem+json"
#define TEXT "text/plain; charset=utf-8"

struct http_server {
	struct MHD_Daemon *daemon;
	agent_http *http;
	void *context;
};

struct answer {
	unsigned status;
	const char *type;
	const char *allow; /* 405: the methods that there are */
	struct buf body;
};

typedef void route_handler(struct answer *answer);

struct route {
	const char *path;
	bool post;
	route_handler *handler;
};

/* ---- answers ---- */
static void answer_problem(struct answer *answer, unsigned status, const char *title, const char *detail)
{
	answer->status = status;
	answer->type = PROBLEM;
	buf_reset(&answer->body);
	buf_printf(&answer->body, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%u,\"detail\":", title,
		status);
	buf_json_string(&answer->body, detail, strlen(detail));
	buf_append_str(&answer->body, "}\n");
}

static void answer_status(struct answer *answer)
{
	agent_write_status(&answer->body);
}

static void answer_version(struct answer *answer)
{
	agent_write_version(&answer->body);
}

static void answer_metrics(struct answer *answer)
{
	answer->type = "text/plain; version=0.0.4; charset=utf-8";
	agent_write_metrics(&answer->body);
}

static void answer_check(struct answer *answer, bool good, const char *why_not)
{
	answer->type = TEXT;
	answer->status = good ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
	buf_printf(&answer->body, "%s\n", good ? "ok" : why_not);
}

static void answer_livez(struct answer *answer)
{
	answer_check(answer, agent_alive(), "the pipeline has not moved for a minute");
}

static void answer_readyz(struct answer *answer)
{
	struct agent_snapshot snapshot;
	char why_not[1100];

	agent_snapshot(&snapshot);
	(void)snprintf(why_not, sizeof why_not, "%s: %s", snapshot.state_name, snapshot.reason);
	answer_check(answer, snapshot.ready, why_not);
}

static void answer_request(struct answer *answer, int (*request)(struct error *err), const char *requested)
{
	struct error err = ERROR_INIT;
	struct agent_snapshot snapshot;

	if (request(&err) < 0) {
		answer_problem(answer, MHD_HTTP_CONFLICT, "Conflict", err.text);
		return;
	}
	agent_snapshot(&snapshot);
	answer->status = MHD_HTTP_ACCEPTED;
	buf_printf(&answer->body, "{\"name\":\"%s\",\"state\":\"%s\",\"requested\":\"%s\"}\n", snapshot.name,
		snapshot.state_name, requested);
}

static void answer_pause(struct answer *answer)
{
	answer_request(answer, agent_request_pause, "pause");
}

static void answer_resume(struct answer *answer)
{
	answer_request(answer, agent_request_resume, "resume");
}

/* ---- routing ---- */
static const struct route routes[] = {
	{ "/v1/status", false, answer_status }, { "/v1/version", false, answer_version },
	{ "/metrics", false, answer_metrics },  { "/livez", false, answer_livez },
	{ "/readyz", false, answer_readyz },    { "/v1/pause", true, answer_pause },
	{ "/v1/resume", true, answer_resume },
};

static void answer_wrong_method(struct answer *answer, const char *allow)
{
	answer_problem(answer, MHD_HTTP_METHOD_NOT_ALLOWED, "Method Not Allowed", "this path does not know the method");
	answer->allow = allow;
}

/* A path that is the program's own, or nobody's. */
static void answer_other(const struct http_server *server, const char *path, bool get, struct answer *answer)
{
	int status = server->http != NULL ? server->http(server->context, path, &answer->body) : 0;

	if (status == 0)
		answer_problem(answer, MHD_HTTP_NOT_FOUND, "Not Found", "there is nothing at this path");
	else if (!get)
		answer_wrong_method(answer, "GET, HEAD");
	else
		answer->status = (unsigned)status;
}

static void answer_path(const struct http_server *server, const char *path, const char *method, struct answer *answer)
{
	bool get = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
	bool post = strcmp(method, "POST") == 0;

	for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
		const struct route *route = &routes[i];

		if (strcmp(path, route->path) != 0)
			continue;
		if (route->post ? !post : !get)
			answer_wrong_method(answer, route->post ? "POST" : "GET, HEAD");
		else
			route->handler(answer);
		return;
	}
	answer_other(server, path, get, answer);
}

/* ---- libmicrohttpd ---- */
static enum MHD_Result send_answer(struct MHD_Connection *connection, struct answer *answer)
{
	struct MHD_Response *response;
	enum MHD_Result result;
	size_t len;
	char *body;

	if (answer->body.failed)
		answer_problem(answer, MHD_HTTP_INTERNAL_SERVER_ERROR, "Internal Server Error",
			"the answer is too large");
	len = answer->body.len;
	body = buf_take(&answer->body);
	if (body == NULL)
		return MHD_NO;
	response = MHD_create_response_from_buffer(len, body, MHD_RESPMEM_MUST_FREE);
	if (response == NULL) {
		free(body);
		return MHD_NO;
	}
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->type);
	(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	if (answer->allow != NULL)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, answer->allow);
	result = MHD_queue_response(connection, answer->status, response);
	MHD_destroy_response(response);
	return result;
}

/*
 * Called once with the headers, then for each piece of the body, then once more to answer. *state: NULL at first, then
 * one more than the bytes of the body so far.
 */
static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *path, const char *method,
	const char *version, const char *piece, size_t *piece_len, void **state)
{
	struct answer answer = { .status = MHD_HTTP_OK, .type = JSON };
	enum MHD_Result result;

	(void)version;
	(void)piece;
	if (*state == NULL) {
		*state = (void *)(uintptr_t)1;
		return MHD_YES;
	}
	if (*piece_len > 0) {
		uintptr_t seen = (uintptr_t)*state;

		if (*piece_len > BODY_MAX || seen + *piece_len > BODY_MAX)
			return MHD_NO;
		*state = (void *)(seen + *piece_len);
		*piece_len = 0;
		return MHD_YES;
	}
	buf_init(&answer.body, ANSWER_MAX);
	answer_path(context, path, method, &answer);
	result = send_answer(connection, &answer);
	buf_release(&answer.body);
	return result;
}

static void note(void *context, const char *format, va_list args)
{
	char text[512];

	(void)context;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* libmicrohttpd's own formats */
	(void)vsnprintf(text, sizeof text, format, args);
#pragma GCC diagnostic pop
	log_debug("http: %s", text);
}

int http_open(const struct agent_program *program, void *context, int listen_fd, struct http_server **ret_server,
	struct error *err)
{
	struct http_server *server = calloc(1, sizeof *server);

	if (server == NULL)
		return error_set(err, ERROR_RETRY, "out of memory");
	server->http = program->http;
	server->context = context;
	server->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ERROR_LOG, 0, NULL,
		NULL, handle, server, MHD_OPTION_EXTERNAL_LOGGER, note, NULL, MHD_OPTION_LISTEN_SOCKET, listen_fd,
		MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, SILENCE_SECONDS,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, MHD_OPTION_END);
	if (server->daemon == NULL) {
		free(server);
		return error_set(err, ERROR_RETRY, "could not start the HTTP server");
	}
	*ret_server = server;
	return 0;
}

void http_close(struct http_server *server)
{
	if (server == NULL)
		return;
	MHD_stop_daemon(server->daemon);
	free(server);
}
